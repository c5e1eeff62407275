// Import and export, fill, copies, products, dropout, and the update of parameters.
#include "backend_cases.h"
#include "core/status.h"

namespace dk::test {
namespace {

std::string words(const Shape& s, const Margins& a, const Margins& b, bool accumulate) {
  return strf("n%d %dx%dx%d%s views %d+%d %d+%d", s.n, s.w, s.h, s.c, accumulate ? " +=" : "", a.before, a.after, b.before,
              b.after);
}

struct ImportExport {
  Shape shape;
  Margins view{};
  bool planar = false;

  std::string name() const { return (planar ? "import, export planar " : "import, export ") + words(shape, view, {}, false); }
  void run(Rig& rig) const {
    const Tensor t = planar ? rig.planar(shape) : rig.tensor(shape, view);
    rig.set(t, rig.draw(t.count()));
    rig.record("values", t);
  }
};

struct Fill {
  Shape shape;
  Margins view;

  std::string name() const { return "fill " + words(shape, view, {}, false); }
  void run(Rig& rig) const {
    const Tensor t = rig.tensor(shape, view);
    rig.backend().fill(t, -0.75f);
    rig.record("values", t);
  }
};

struct Copy {
  Shape shape;
  Margins from, to;
  float scale;
  bool accumulate;

  std::string name() const { return strf("copy x%g ", scale) + words(shape, from, to, accumulate); }
  void run(Rig& rig) const {
    const Tensor src = rig.tensor(shape, from), dst = rig.tensor(shape, to);
    rig.backend().copy(src, dst, scale, accumulate);
    rig.record("dst", dst);
  }
};

struct CopyChannels {
  int n, h, w, src_c, src_first, dst_c, dst_first, count;
  bool accumulate;
  Margins from{}, to{};

  std::string name() const {
    return strf("copy channels %d of %d at %d to %d of %d ", count, src_c, src_first, dst_first, dst_c) +
           words({n, count, h, w}, from, to, accumulate);
  }
  void run(Rig& rig) const {
    const Tensor src = rig.tensor({n, src_c, h, w}, from), dst = rig.tensor({n, dst_c, h, w}, to);
    rig.backend().copy_channels(src, src_first, dst, dst_first, count, accumulate);
    rig.record("dst", dst);
  }
};

struct Multiply {
  Shape shape;
  Margins view;
  bool per_channel, accumulate;

  std::string name() const { return strf("multiply%s ", per_channel ? " per channel" : "") + words(shape, view, {}, accumulate); }
  void run(Rig& rig) const {
    const Tensor a = rig.tensor(shape, view), b = rig.tensor(per_channel ? Shape{shape.n, shape.c, 1, 1} : shape);
    const Tensor dst = rig.tensor(shape, view);
    rig.backend().multiply(a, b, dst, accumulate);
    rig.record("dst", dst);
  }
};

struct MultiplyReduce {
  Shape shape;
  Margins view;
  bool accumulate;

  std::string name() const { return "multiply and reduce " + words(shape, view, {}, accumulate); }
  void run(Rig& rig) const {
    const Tensor a = rig.tensor(shape, view), b = rig.tensor(shape), dst = rig.tensor({shape.n, shape.c, 1, 1});
    rig.backend().multiply_reduce(a, b, dst, accumulate);
    rig.record("dst", dst);
  }
};

// Also into its own source, which is how the network does it.
struct Dropout {
  Shape shape;
  float probability;
  bool accumulate;
  Margins view{};

  std::string name() const { return strf("dropout %g ", probability) + words(shape, view, {}, accumulate); }
  void run(Rig& rig) const {
    const Tensor src = rig.tensor(shape, view), dst = rig.tensor(shape, view);
    rig.backend().dropout(src, probability, 0x123456789abcdefull, 5, rig.step({77, 8}), dst, accumulate);
    rig.record("dst", dst);
    if (accumulate) return;
    rig.backend().dropout(src, probability, 0x123456789abcdefull, 5, rig.step({78, 8}), src, false);
    rig.record("in place", src);
  }
};

// Three arrays at once, as of a layer: with decay and clip, plain, and only averaged.
struct Update {
  int64_t count;
  float decay, clip;

  std::string name() const { return strf("update of %d, decay %g, clip %g", static_cast<int>(count), decay, clip); }
  void run(Rig& rig) const {
    std::vector<SgdArgs> arrays(3);
    for (SgdArgs& array : arrays) {
      array.count = count;
      array.w = rig.floats(rig.draw(count));
      array.v = rig.floats(rig.draw(count));
      array.ema = rig.floats(rig.draw(count));
      array.momentum = 0.949f;
      array.rate_factor = 0.7f, array.rate_divisor = 3.0f;
    }
    arrays[0].decay = decay, arrays[0].clip = clip;
    arrays[1].ema = nullptr;
    arrays[2].v = nullptr;
    for (int step = 0; step < 3; ++step) {
      for (SgdArgs& array : arrays) array.g = array.v != nullptr ? rig.floats(rig.draw(count, -20, 20)) : nullptr;
      rig.record_values("finite", {rig.update(arrays, 0.06f, 0.9f) ? 1.0f : 0.0f});
    }
    for (const SgdArgs& array : arrays)
      for (const float* values : {array.w, array.v, array.ema})
        if (values != nullptr) rig.record_values("values", rig.read(values, count));
  }
};

// More arrays than go into one launch of any back end.
struct UpdateOfMany {
  std::string name() const { return "update of many arrays"; }
  void run(Rig& rig) const {
    std::vector<SgdArgs> arrays;
    for (int i = 0; i < 900; ++i) {
      SgdArgs array;
      array.count = 16 + i % 7 * 16;
      array.w = rig.floats(rig.draw(array.count));
      array.v = rig.floats(rig.draw(array.count));
      array.g = rig.floats(rig.draw(array.count));
      array.rate_factor = static_cast<float>(i);
      arrays.push_back(array);
    }
    rig.update(arrays, 0.001f);
    std::vector<float> all;
    for (const SgdArgs& array : arrays) {
      const std::vector<float> w = rig.read(array.w, array.count);
      all.insert(all.end(), w.begin(), w.end());
    }
    rig.record_values("w", all);
  }
};

}  // namespace

std::vector<OpCase> tensor_cases() {
  std::vector<OpCase> cases;
  const std::vector<Shape> odd_shapes = {{2, 21, 5, 7}, {1, 1, 1, 1}, {3, 3, 9, 4}, {1, 255, 2, 3}};
  for (const Shape& shape : odd_shapes) {
    cases.push_back(op_case(ImportExport{shape}, 0, 0));
    cases.push_back(op_case(ImportExport{shape, {16, 0}}, 0, 0));
    cases.push_back(op_case(ImportExport{shape, {}, true}, 0, 0));
    cases.push_back(op_case(Fill{shape, {32, 0}}, 0, 0));
  }
  cases.push_back(op_case(Fill{{2, 32, 3, 5}, {16, 16}}, 0, 0));
  for (const bool accumulate : {false, true}) {
    cases.push_back(op_case(Copy{{2, 32, 5, 7}, {16, 16}, {0, 32}, 1.0f, accumulate}));
    cases.push_back(op_case(Copy{{1, 21, 13, 13}, {}, {16, 0}, 0.5f, accumulate}));
    cases.push_back(op_case(CopyChannels{2, 5, 7, 32, 16, 21, 5, 16, accumulate}));
    cases.push_back(op_case(CopyChannels{1, 9, 3, 21, 3, 40, 17, 18, accumulate}));
    cases.push_back(op_case(CopyChannels{2, 4, 4, 24, 12, 12, 0, 12, accumulate, {16, 0}, {32, 0}}));
    cases.push_back(op_case(CopyChannels{2, 4, 4, 32, 7, 16, 15, 1, accumulate, {16, 16}, {16, 16}}));
    for (const bool per_channel : {false, true}) {
      cases.push_back(op_case(Multiply{{2, 21, 5, 7}, {}, per_channel, accumulate}));
      cases.push_back(op_case(Multiply{{2, 32, 3, 3}, {16, 16}, per_channel, accumulate}));
    }
    cases.push_back(op_case(MultiplyReduce{{2, 21, 5, 7}, {}, accumulate}));
    cases.push_back(op_case(MultiplyReduce{{3, 32, 13, 13}, {16, 16}, accumulate}));
    cases.push_back(op_case(Dropout{{2, 21, 5, 7}, 0.2f, accumulate}));
    cases.push_back(op_case(Dropout{{2, 32, 6, 6}, 0.5f, accumulate, {16, 16}}));
    cases.push_back(op_case(Dropout{{1, 5, 3, 3}, 0.0f, accumulate}));
    cases.push_back(op_case(Dropout{{1, 5, 3, 3}, 1.0f, accumulate}));
  }
  return cases;
}

std::vector<OpCase> parameter_cases() {
  // Parameters are f32 in every net, so the same bound holds in both.
  std::vector<OpCase> cases;
  for (const int64_t count : {1, 16, 1003, 70000}) {
    cases.push_back(op_case(Update{count, 0, 0}, kF32Tolerance, kF32Tolerance));
    cases.push_back(op_case(Update{count, 0.032f, 0}, kF32Tolerance, kF32Tolerance));
    cases.push_back(op_case(Update{count, 0.032f, 0.25f}, kF32Tolerance, kF32Tolerance));
  }
  cases.push_back(op_case(UpdateOfMany{}, kF32Tolerance, kF32Tolerance));
  return cases;
}

}  // namespace dk::test
