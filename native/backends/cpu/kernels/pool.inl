// Kernels of max pooling and upsampling. Included inside the namespace of an instruction set.

// The part of a window that lies inside [0, size): first and one past the last place of the kernel.
struct Taps {
  int first, end;
};

inline Taps taps_inside(int start, int window, int size) {
  const int first = start < 0 ? -start : 0;
  const int end = size - start < window ? size - start : window;
  return {first, end};
}

template <class T, class Index>
struct PoolOutput {
  T* out;
  Index* index;

  void put(int64_t place, Vf value, Vi at) const {
    store(out + place * kLanes, value);
    if (index) store_index(index + place * kLanes, at);
  }
};

template <class T, class Index>
void max_pool_direct(const PoolArgs& a) {
  const T* in = static_cast<const T*>(a.input);
  const PoolOutput<T, Index> to{static_cast<T*>(a.output), static_cast<Index*>(a.index)};
  const Vf none = lane_and(set1(-__builtin_inff()), load(reinterpret_cast<const float*>(a.mask)));
  for (int y = 0; y < a.oh; ++y) {
    const int top = a.offset + y * a.stride_y;
    const Taps rows = taps_inside(top, a.size, a.ih);
    for (int x = 0; x < a.ow; ++x) {
      const int left = a.offset + x * a.stride_x;
      const Taps columns = taps_inside(left, a.size, a.iw);
      Vf best = none;
      Vi at = set1_i(-1);
      bool found = false;
      for (int ky = rows.first; ky < rows.end; ++ky)
        for (int kx = columns.first; kx < columns.end; ++kx) {
          const Vf value = load(in + (static_cast<int64_t>(top + ky) * a.iw + left + kx) * kLanes);
          const Vi here = set1_i(ky * a.size + kx);
          const Mask more = greater(value, best);
          best = found ? select(more, value, best) : value;
          at = found ? select(more, here, at) : here;
          found = true;
        }
      to.put(static_cast<int64_t>(y) * a.ow + x, best, at);
    }
  }
}

// Large windows: the first maximum of each row of the window, then the first of these.
template <class T, class Index>
void max_pool_by_rows(const PoolArgs& a) {
  const T* in = static_cast<const T*>(a.input);
  const PoolOutput<T, Index> to{static_cast<T*>(a.output), static_cast<Index*>(a.index)};
  const Vf none = lane_and(set1(-__builtin_inff()), load(reinterpret_cast<const float*>(a.mask)));
  float* row_best = static_cast<float*>(a.scratch);
  int32_t* row_at = reinterpret_cast<int32_t*>(row_best + static_cast<int64_t>(a.ih) * a.ow * kLanes);
  for (int iy = 0; iy < a.ih; ++iy)
    for (int x = 0; x < a.ow; ++x) {
      const int left = a.offset + x * a.stride_x;
      const Taps columns = taps_inside(left, a.size, a.iw);
      if (columns.first >= columns.end) continue;
      const T* row = in + (static_cast<int64_t>(iy) * a.iw + left) * kLanes;
      Vf best = load(row + static_cast<int64_t>(columns.first) * kLanes);
      Vi at = set1_i(columns.first);
      for (int kx = columns.first + 1; kx < columns.end; ++kx) {
        const Vf value = load(row + static_cast<int64_t>(kx) * kLanes);
        const Mask more = greater(value, best);
        best = select(more, value, best);
        at = select(more, set1_i(kx), at);
      }
      const int64_t place = (static_cast<int64_t>(iy) * a.ow + x) * kLanes;
      store(row_best + place, best);
      store_index(row_at + place, at);
    }
  for (int y = 0; y < a.oh; ++y) {
    const int top = a.offset + y * a.stride_y;
    const Taps rows = taps_inside(top, a.size, a.ih);
    for (int x = 0; x < a.ow; ++x) {
      const Taps columns = taps_inside(a.offset + x * a.stride_x, a.size, a.iw);
      Vf best = none;
      Vi at = set1_i(-1);
      if (columns.first < columns.end)
        for (int ky = rows.first; ky < rows.end; ++ky) {
          const int64_t place = (static_cast<int64_t>(top + ky) * a.ow + x) * kLanes;
          const Vf value = load(row_best + place);
          const Vi here = add_i(load_index(row_at + place), set1_i(ky * a.size));
          const Mask more = greater(value, best);
          best = ky == rows.first ? value : select(more, value, best);
          at = ky == rows.first ? here : select(more, here, at);
        }
      to.put(static_cast<int64_t>(y) * a.ow + x, best, at);
    }
  }
}

template <class T>
void max_pool(const PoolArgs& a) {
  if (a.size <= kDirectPoolSize) return a.wide ? max_pool_direct<T, uint16_t>(a) : max_pool_direct<T, uint8_t>(a);
  return a.wide ? max_pool_by_rows<T, uint16_t>(a) : max_pool_by_rows<T, uint8_t>(a);
}

template <class T>
inline void put(T* p, Vf value, bool accumulate) {
  store(p, accumulate ? load(p) + value : value);
}

// 2 x 2 windows side by side from (0, 0): each output belongs to four inputs of its own.
template <class T, class Index>
void max_pool_backward_2x2(const PoolArgs& a) {
  T* dsrc = static_cast<T*>(a.input);
  const T* ddst = static_cast<const T*>(a.output);
  const Index* index = static_cast<const Index*>(a.index);
  for (int y = 0; y < a.oh; ++y)
    for (int x = 0; x < a.ow; ++x) {
      const int64_t place = static_cast<int64_t>(y) * a.ow + x;
      const Vf delta = load(ddst + place * kLanes);
      const Vi at = load_index(index + place * kLanes);
      for (int ky = 0; ky < 2 && 2 * y + ky < a.ih; ++ky)
        for (int kx = 0; kx < 2 && 2 * x + kx < a.iw; ++kx)
          put(dsrc + (static_cast<int64_t>(2 * y + ky) * a.iw + 2 * x + kx) * kLanes,
              select(equal(at, set1_i(2 * ky + kx)), delta, zero()), a.accumulate);
    }
}

// The outputs [first, end) whose windows cover input place `i`.
inline Taps covering(int i, int offset, int size, int stride, int outputs) {
  const int low = i - offset - size + 1;
  const int first = low <= 0 ? 0 : (low + stride - 1) / stride;
  const int last = (i - offset) / stride;
  return {first, last + 1 < outputs ? last + 1 : outputs};
}

// Each input place collects from the windows that cover it: no two writers, whatever the overlap.
template <class T, class Index>
void max_pool_backward_gather(const PoolArgs& a) {
  T* dsrc = static_cast<T*>(a.input);
  const T* ddst = static_cast<const T*>(a.output);
  const Index* index = static_cast<const Index*>(a.index);
  for (int iy = 0; iy < a.ih; ++iy) {
    const Taps ys = covering(iy, a.offset, a.size, a.stride_y, a.oh);
    for (int ix = 0; ix < a.iw; ++ix) {
      const Taps xs = covering(ix, a.offset, a.size, a.stride_x, a.ow);
      Vf sum = zero();
      for (int y = ys.first; y < ys.end; ++y)
        for (int x = xs.first; x < xs.end; ++x) {
          const int tap = (iy - a.offset - y * a.stride_y) * a.size + ix - a.offset - x * a.stride_x;
          const int64_t place = (static_cast<int64_t>(y) * a.ow + x) * kLanes;
          sum = sum + select(equal(load_index(index + place), set1_i(tap)), load(ddst + place), zero());
        }
      put(dsrc + (static_cast<int64_t>(iy) * a.iw + ix) * kLanes, sum, a.accumulate);
    }
  }
}

template <class T, class Index>
void max_pool_backward_by_shape(const PoolArgs& a) {
  const bool side_by_side = a.size == 2 && a.stride_y == 2 && a.stride_x == 2 && a.offset == 0;
  if (side_by_side && a.ih <= 2 * a.oh && a.iw <= 2 * a.ow) return max_pool_backward_2x2<T, Index>(a);
  return max_pool_backward_gather<T, Index>(a);
}

template <class T>
void max_pool_backward(const PoolArgs& a) {
  return a.wide ? max_pool_backward_by_shape<T, uint16_t>(a) : max_pool_backward_by_shape<T, uint8_t>(a);
}

template <class T>
void upsample_row(const void* src, int width, int stride, float scale, void* dst) {
  const T* in = static_cast<const T*>(src);
  T* out = static_cast<T*>(dst);
  const Vf factor = set1(scale);
  for (int y = 0; y < stride; ++y)
    for (int x = 0; x < width; ++x) {
      const Vf value = load(in + static_cast<int64_t>(x) * kLanes) * factor;
      for (int k = 0; k < stride; ++k, out += kLanes) store(out, value);
    }
}

template <class T>
void upsample_row_backward(const void* ddst, int width, int stride, float scale, void* dsrc, bool accumulate) {
  const T* delta = static_cast<const T*>(ddst);
  T* out = static_cast<T*>(dsrc);
  const Vf factor = set1(scale);
  for (int x = 0; x < width; ++x) {
    Vf sum = zero();
    for (int y = 0; y < stride; ++y)
      for (int k = 0; k < stride; ++k) sum = sum + load(delta + ((static_cast<int64_t>(y) * width + x) * stride + k) * kLanes);
    put(out + static_cast<int64_t>(x) * kLanes, sum * factor, accumulate);
  }
}
