// Kernels of batch normalisation and of bias + activation. Sums run in float for at most kShortRun vectors, then go to
// double. Included inside the namespace of an instruction set.

constexpr int64_t kShortRun = 256;

template <class T>
struct PrecisionOf {
  using Type = Rough;
};
template <>
struct PrecisionOf<float> {
  using Type = Exact;
};

// Mean and squared differences about a shift near the data (the mean of a few samples): large means lose no digits.
template <class T>
void statistics(const void* data, int64_t count, double* mean, double* m2) {
  const T* x = static_cast<const T*>(data);
  constexpr int64_t kSamples = 8;
  const int64_t samples = count < kSamples ? count : kSamples;
  Vf shift = zero();
  for (int64_t i = 0; i < samples; ++i) shift = shift + load(x + i * count / samples * kLanes);
  shift = shift * set1(1.0f / static_cast<float>(samples));
  double sums[kLanes] = {}, squares[kLanes] = {};
  for (int64_t first = 0; first < count; first += kShortRun) {
    const int64_t end = first + kShortRun < count ? first + kShortRun : count;
    Vf sum[4] = {zero(), zero(), zero(), zero()}, square[4] = {zero(), zero(), zero(), zero()};
    int64_t i = first;
    for (; i + 4 <= end; i += 4)
      for (int j = 0; j < 4; ++j) {
        const Vf d = load(x + (i + j) * kLanes) - shift;
        sum[j] = sum[j] + d;
        square[j] = fma(d, d, square[j]);
      }
    for (; i < end; ++i) {
      const Vf d = load(x + i * kLanes) - shift;
      sum[0] = sum[0] + d;
      square[0] = fma(d, d, square[0]);
    }
    add_to(sums, (sum[0] + sum[1]) + (sum[2] + sum[3]));
    add_to(squares, (square[0] + square[1]) + (square[2] + square[3]));
  }
  float shifts[kLanes];
  store(shifts, shift);
  for (int l = 0; l < kLanes; ++l) {
    const double offset = sums[l] / static_cast<double>(count);
    mean[l] = static_cast<double>(shifts[l]) + offset;
    const double spread = squares[l] - sums[l] * offset;
    m2[l] = spread > 0 ? spread : 0;
    if (spread != spread) m2[l] = spread;  // a NaN must show
  }
}

template <Activation A, bool Residual, bool Stream, class T>
void apply_run(const ApplyArgs& a) {
  const T* x = static_cast<const T*>(a.x);
  const T* residual = static_cast<const T*>(a.residual);
  T* out = static_cast<T*>(a.out);
  const Vf mean = load(a.mean), scale = load(a.scale), shift = load(a.shift);
  const Vf mask = load(reinterpret_cast<const float*>(a.mask));
  for (int64_t i = 0; i < a.count; ++i) {
    Vf y = activate<A, typename PrecisionOf<T>::Type>(fma(load(x + i * kLanes) - mean, scale, shift));
    if constexpr (A == Activation::logistic) y = lane_and(y, mask);  // the one with f(0) != 0
    if constexpr (Residual) y = y + load(residual + i * kLanes);
    if constexpr (Stream)
      stream(out + i * kLanes, y);
    else
      store(out + i * kLanes, y);
  }
  if constexpr (Stream) stream_end();
}

template <Activation A, class T>
void apply(const ApplyArgs& a) {
  if (a.residual) return a.stream ? apply_run<A, true, true, T>(a) : apply_run<A, true, false, T>(a);
  return a.stream ? apply_run<A, false, true, T>(a) : apply_run<A, false, false, T>(a);
}

template <Activation A, class T>
void slope_reduce(const SlopeArgs& a) {
  const T* dout = static_cast<const T*>(a.dout);
  const T* x = static_cast<const T*>(a.x);
  const Vf mean = load(a.mean), scale = load(a.scale), shift = load(a.shift);
  for (int l = 0; l < kLanes; ++l) a.sum_g[l] = a.sum_gx[l] = 0;
  for (int64_t first = 0; first < a.count; first += kShortRun) {
    const int64_t end = first + kShortRun < a.count ? first + kShortRun : a.count;
    Vf sum_g[2] = {zero(), zero()}, sum_gx[2] = {zero(), zero()};
    const auto add = [&](int64_t i, int j) {
      const Vf d = load(x + i * kLanes) - mean;
      const Vf g = load(dout + i * kLanes) * slope<A, typename PrecisionOf<T>::Type>(fma(d, scale, shift));
      sum_g[j] = sum_g[j] + g;
      sum_gx[j] = fma(g, d, sum_gx[j]);
    };
    int64_t i = first;
    for (; i + 2 <= end; i += 2) {
      add(i, 0);
      add(i + 1, 1);
    }
    if (i < end) add(i, 0);
    add_to(a.sum_g, sum_g[0] + sum_g[1]);
    add_to(a.sum_gx, sum_gx[0] + sum_gx[1]);
  }
}

template <Activation A, bool Stream, class T>
void slope_apply_run(const SlopeArgs& a) {
  const T* dout = static_cast<const T*>(a.dout);
  const T* x = static_cast<const T*>(a.x);
  T* dx = static_cast<T*>(a.dx);
  const Vf mean = load(a.mean), scale = load(a.scale), shift = load(a.shift);
  const Vf gain = load(a.gain), tilt = load(a.tilt), offset = load(a.offset);
  for (int64_t i = 0; i < a.count; ++i) {
    const Vf d = load(x + i * kLanes) - mean;
    const Vf g = load(dout + i * kLanes) * slope<A, typename PrecisionOf<T>::Type>(fma(d, scale, shift));
    const Vf y = fma(g, gain, fnma(d, tilt, zero() - offset));
    if constexpr (Stream)
      stream(dx + i * kLanes, y);
    else
      store(dx + i * kLanes, y);
  }
  if constexpr (Stream) stream_end();
}

template <Activation A, class T>
void slope_apply(const SlopeArgs& a) {
  a.stream ? slope_apply_run<A, true, T>(a) : slope_apply_run<A, false, T>(a);
}

template <Activation A, class T>
void bias_slope(const SlopeArgs& a) {
  const T* dout = static_cast<const T*>(a.dout);
  const T* x = static_cast<const T*>(a.x);
  T* dx = static_cast<T*>(a.dx);
  const Vf shift = load(a.shift);
  if (a.sum_g)
    for (int l = 0; l < kLanes; ++l) a.sum_g[l] = 0;
  for (int64_t first = 0; first < a.count; first += kShortRun) {
    const int64_t end = first + kShortRun < a.count ? first + kShortRun : a.count;
    Vf sum = zero();
    for (int64_t i = first; i < end; ++i) {
      const Vf g = load(dout + i * kLanes) * slope<A, typename PrecisionOf<T>::Type>(load(x + i * kLanes) + shift);
      sum = sum + g;
      store(dx + i * kLanes, g);
    }
    if (a.sum_g) add_to(a.sum_g, sum);
  }
}
