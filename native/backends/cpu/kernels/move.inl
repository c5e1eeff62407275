// Kernels that move, scale, multiply and sum runs of vectors, change layouts, and update parameters. Included inside the
// namespace of an instruction set.

template <class S, class D>
void copy(const void* src, void* dst, int64_t count, float scale, bool accumulate) {
  const S* in = static_cast<const S*>(src);
  D* out = static_cast<D*>(dst);
  const Vf factor = set1(scale);
  if (accumulate)
    for (int64_t i = 0; i < count * kLanes; i += kLanes) store(out + i, fma(load(in + i), factor, load(out + i)));
  else
    for (int64_t i = 0; i < count * kLanes; i += kLanes) store(out + i, load(in + i) * factor);
}

template <class T>
void multiply(const void* a, const void* b, int step_b, void* dst, int64_t count, bool accumulate) {
  const T* left = static_cast<const T*>(a);
  const T* right = static_cast<const T*>(b);
  T* out = static_cast<T*>(dst);
  for (int64_t i = 0; i < count; ++i)
    put(out + i * kLanes, load(left + i * kLanes) * load(right + i * step_b * kLanes), accumulate);
}

template <class T>
void sum_products(const void* a, const void* b, int64_t count, double* total) {
  const T* left = static_cast<const T*>(a);
  const T* right = static_cast<const T*>(b);
  for (int l = 0; l < kLanes; ++l) total[l] = 0;
  for (int64_t first = 0; first < count; first += kShortRun) {
    const int64_t end = first + kShortRun < count ? first + kShortRun : count;
    Vf sum = zero();
    if (right)
      for (int64_t i = first; i < end; ++i) sum = fma(load(left + i * kLanes), load(right + i * kLanes), sum);
    else
      for (int64_t i = first; i < end; ++i) sum = sum + load(left + i * kLanes);
    add_to(total, sum);
  }
}

template <class T>
void spread(const float* value, void* dst, int64_t count, bool accumulate) {
  T* out = static_cast<T*>(dst);
  const Vf vector = load(value);
  for (int64_t i = 0; i < count; ++i) put(out + i * kLanes, vector, accumulate);
}

template <class T>
void import_block(const float* planar, int64_t plane_stride, int lanes, int64_t count, void* dst) {
  T* out = static_cast<T*>(dst);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    Vf square[kLanes];
    for (int l = 0; l < kLanes; ++l) square[l] = l < lanes ? load(planar + l * plane_stride + i) : zero();
    transpose(square);
    for (int p = 0; p < kLanes; ++p) store(out + (i + p) * kLanes, square[p]);
  }
  for (; i < count; ++i) {
    float vector[kLanes] = {};
    for (int l = 0; l < lanes; ++l) vector[l] = planar[l * plane_stride + i];
    store(out + i * kLanes, load(vector));
  }
}

template <class T>
void export_block(const void* src, int64_t count, float* planar, int64_t plane_stride, int lanes) {
  const T* in = static_cast<const T*>(src);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    Vf square[kLanes];
    for (int p = 0; p < kLanes; ++p) square[p] = load(in + (i + p) * kLanes);
    transpose(square);
    for (int l = 0; l < lanes; ++l) store(planar + l * plane_stride + i, square[l]);
  }
  for (; i < count; ++i) {
    float vector[kLanes];
    store(vector, load(in + i * kLanes));
    for (int l = 0; l < lanes; ++l) planar[l * plane_stride + i] = vector[l];
  }
}

inline void load_square(const float* src, Vf square[kLanes]) {
  for (int i = 0; i < kLanes; ++i) square[i] = load(src + i * kLanes);
}

inline void transpose_blocks(const float* src, int64_t blocks, void* dst) {
  float* out = static_cast<float*>(dst);
  for (int64_t b = 0; b < blocks; ++b, src += kLanes * kLanes, out += kLanes * kLanes) {
    Vf square[kLanes];
    load_square(src, square);
    transpose(square);
    for (int i = 0; i < kLanes; ++i) store(out + i * kLanes, square[i]);
  }
}

inline bool sgd(const SgdRange& a) {
  const Vf rate = set1(a.rate), momentum = set1(a.momentum), decay = set1(a.decay), clip = set1(a.clip);
  const Vf low = zero() - clip;
  const auto step = [&](float* w, float* v, const float* g) {
    const Vf weight = load(w);
    const Vf velocity = load(v) + fnma(decay, weight, load(g));
    const Vf updated = max(low, min(clip, fma(rate, velocity, weight)));
    store(w, updated);
    store(v, velocity * momentum);
    return updated;
  };
  Vf check = zero();  // 0 * w is NaN exactly where w is not finite
  int64_t i = 0;
  for (; i + kLanes <= a.count; i += kLanes) check = fma(step(a.w + i, a.v + i, a.g + i), zero(), check);
  if (i < a.count) {
    float w[kLanes] = {}, v[kLanes] = {}, g[kLanes] = {};
    const int64_t rest = a.count - i;
    for (int64_t l = 0; l < rest; ++l) w[l] = a.w[i + l], v[l] = a.v[i + l], g[l] = a.g[i + l];
    check = fma(step(w, v, g), zero(), check);
    for (int64_t l = 0; l < rest; ++l) a.w[i + l] = w[l], a.v[i + l] = v[l];
  }
  float lanes[kLanes];
  store(lanes, check);
  bool finite = true;
  for (int l = 0; l < kLanes; ++l) finite = finite && lanes[l] == 0;
  return finite;
}

inline void average(float* ema, const float* w, int64_t count, float alpha) {
  const float rest = static_cast<float>(1.0 - static_cast<double>(alpha));
  const Vf keep = set1(alpha), take = set1(rest);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(ema + i, fma(keep, load(ema + i), take * load(w + i)));
  for (; i < count; ++i) ema[i] = alpha * ema[i] + rest * w[i];
}
