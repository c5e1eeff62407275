// Max pooling with the geometries of both networks and odd ones, global average pooling, upsampling.
#include "backend_cases.h"
#include "core/status.h"

namespace dk::test {
namespace {

struct MaxPool {
  Shape shape;
  PoolDesc desc;
  bool accumulate = false, ties = false;
  Margins view{};

  std::string name() const {
    return strf("max pool %d/%dx%d padding %d n%d %dx%dx%d%s%s views %d+%d", desc.size, desc.stride_x, desc.stride_y,
                desc.padding, shape.n, shape.w, shape.h, shape.c, accumulate ? " +=" : "", ties ? " with ties" : "", view.before,
                view.after);
  }
  Shape output() const {
    return {shape.n, shape.c, (shape.h + desc.padding - desc.size) / desc.stride_y + 1,
            (shape.w + desc.padding - desc.size) / desc.stride_x + 1};
  }
  void run(Rig& rig) const {
    const Tensor src = rig.tensor(shape, view), dst = rig.tensor(output(), view), inference = rig.tensor(output(), view);
    if (ties) {  // a few distinct values only, so that most windows hold their maximum more than once
      std::vector<float> steps = rig.draw(src.count(), 0, 3);
      for (float& value : steps) value = static_cast<float>(static_cast<int>(value)) - 1;
      rig.set(src, steps);
    }
    void* index = rig.memory(rig.backend().max_pool_index_bytes(desc, dst));
    rig.backend().max_pool(desc, src, dst, index);
    rig.record("out", dst);
    rig.backend().max_pool(desc, src, inference, nullptr);
    rig.record("out without index", inference);
    const Tensor ddst = rig.tensor(output(), view), dsrc = rig.tensor(shape, view);
    rig.backend().max_pool_backward(desc, ddst, index, dsrc, accumulate);
    rig.record("dsrc", dsrc);
  }
};

struct GlobalAveragePool {
  Shape shape;
  bool accumulate;

  std::string name() const {
    return strf("global average pool n%d %dx%dx%d%s", shape.n, shape.w, shape.h, shape.c, accumulate ? " +=" : "");
  }
  void run(Rig& rig) const {
    const Tensor src = rig.tensor(shape), dst = rig.tensor({shape.n, shape.c, 1, 1});
    rig.backend().global_average_pool(src, dst);
    rig.record("out", dst);
    const Tensor ddst = rig.tensor({shape.n, shape.c, 1, 1}, {}, -9, 9), dsrc = rig.tensor(shape);
    rig.backend().global_average_pool_backward(ddst, dsrc, accumulate);
    rig.record("dsrc", dsrc);
  }
};

struct Upsample {
  Shape shape;
  int stride;
  float scale;
  bool accumulate;
  Margins small{}, large{};

  std::string name() const {
    return strf("upsample x%d scale %g n%d %dx%dx%d%s views %d+%d %d+%d", stride, scale, shape.n, shape.w, shape.h, shape.c,
                accumulate ? " +=" : "", small.before, small.after, large.before, large.after);
  }
  void run(Rig& rig) const {
    const Shape big{shape.n, shape.c, shape.h * stride, shape.w * stride};
    const Tensor src = rig.tensor(shape, small), dst = rig.tensor(big, large);
    rig.backend().upsample(src, stride, scale, dst);
    rig.record("out", dst);
    const Tensor ddst = rig.tensor(big, large), dsrc = rig.tensor(shape, small);
    rig.backend().upsample_backward(ddst, stride, scale, dsrc, accumulate);
    rig.record("dsrc", dsrc);
  }
};

}  // namespace

std::vector<OpCase> pool_cases() {
  std::vector<OpCase> cases;
  const PoolDesc half{2, 2, 2, 1}, same{2, 1, 1, 1}, spp5{5, 1, 1, 4}, spp9{9, 1, 1, 8}, spp13{13, 1, 1, 12};
  const PoolDesc wide{3, 2, 1, 2}, bare{3, 3, 3, 0}, sparse{2, 3, 3, 1};
  for (const PoolDesc& desc : {half, same, spp5, spp9, spp13, wide, bare, sparse}) {
    cases.push_back(op_case(MaxPool{{2, 16, 13, 13}, desc, false, false}));
    cases.push_back(op_case(MaxPool{{1, 21, 14, 9}, desc, true, false}));
    cases.push_back(op_case(MaxPool{{2, 32, 6, 7}, desc, true, true, {16, 16}}));
    cases.push_back(op_case(MaxPool{{1, 5, 7, 8}, desc, false, true}));
  }
  cases.push_back(op_case(MaxPool{{2, 72, 19, 19}, spp13, true, true}));    // more channels than one block takes
  cases.push_back(op_case(MaxPool{{1, 8, 40, 41}, spp5, false, false}));    // an image too large for one
  cases.push_back(op_case(MaxPool{{1, 16, 31, 5}, {17, 2, 1, 16}, true}));  // positions that take two bytes
  for (const bool accumulate : {false, true}) {
    cases.push_back(op_case(GlobalAveragePool{{2, 21, 7, 5}, accumulate}));
    cases.push_back(op_case(GlobalAveragePool{{1, 32, 1, 1}, accumulate}));
    cases.push_back(op_case(GlobalAveragePool{{3, 16, 13, 13}, accumulate}));
    cases.push_back(op_case(Upsample{{2, 16, 5, 7}, 2, 1.0f, accumulate}));
    cases.push_back(op_case(Upsample{{2, 32, 4, 4}, 2, 1.0f, accumulate, {16, 0}, {16, 16}}));
    cases.push_back(op_case(Upsample{{1, 21, 3, 2}, 3, 0.5f, accumulate}));
    cases.push_back(op_case(Upsample{{1, 7, 4, 6}, 1, 2.0f, accumulate}));
  }
  return cases;
}

}  // namespace dk::test
