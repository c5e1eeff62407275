#include "backend_rig.h"

#include <bit>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>

#include "backend/registry.h"
#include "cpu/cpu_backend.h"
#include "cuda/cuda_backend.h"
#include "doctest/doctest.h"
#include "math/philox.h"
#include "reference/reference_backend.h"

namespace dk::test {
namespace {

int64_t plane_size(const Tensor& t) { return static_cast<int64_t>(t.h) * t.w; }

}  // namespace

const char* activation_name(Activation activation) {
  static const char* const names[] = {"linear", "leaky", "logistic", "relu", "relu6", "mish", "swish", "hard_mish",
                                      "tanh",   "elu",   "selu",     "gelu", "loggy", "ramp", "relie", "hardtan"};
  return names[static_cast<int>(activation)];
}

float round_to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  return std::bit_cast<float>((bits + 0x7FFFu + ((bits >> 16) & 1u)) & 0xFFFF0000u);
}

float round_to(DType dtype, float value) {
  if (dtype == DType::bf16) return round_to_bf16(value);
  return dtype == DType::f16 ? static_cast<float>(static_cast<_Float16>(value)) : value;
}

double relative_error(const std::vector<float>& a, const std::vector<float>& b) {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  if (a.size() != b.size()) return kInfinite;
  double difference = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
    norm += static_cast<double>(b[i]) * b[i];
  }
  if (difference == 0) return 0;
  return norm > 0 && std::isfinite(difference) ? std::sqrt(difference / norm) : kInfinite;
}

Rig::Rig(Backend& backend, DType dtype, DType drawn) : backend_(backend), dtype_(dtype), drawn_(drawn) {}

Rig::~Rig() {
  for (void* memory : owned_) backend_.release(memory);
}

void* Rig::memory(int64_t bytes) {
  owned_.push_back(backend_.allocate(bytes));
  return owned_.back();
}

std::vector<float> Rig::draw(int64_t count, float low, float high) {
  Draws draws(2024, Purpose::noise, stream_++, 0);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = round_to(drawn_, draws.uniform(low, high));
  return values;
}

Tensor Rig::make(Shape shape, Margins margins, bool planar, const std::vector<float>& buffer_values, DType dtype) {
  REQUIRE(margins.before % 16 == 0);
  REQUIRE((margins.after == 0 || shape.c % 16 == 0));
  Tensor whole;
  whole.dtype = dtype;
  whole.n = shape.n;
  whole.c = whole.buffer_c = margins.before + shape.c + margins.after;
  whole.h = shape.h;
  whole.w = shape.w;
  whole.planar = planar;
  whole.data = memory(backend_.tensor_bytes(whole.n, whole.c, whole.h, whole.w, dtype, planar));
  backend_.import_planar(buffer_values.data(), whole);
  buffers_.push_back({whole, buffer_values});
  Tensor view = whole;
  view.c = shape.c;
  view.c_offset = margins.before;
  return view;
}

Tensor Rig::tensor(Shape shape, Margins margins, float low, float high) {
  const int64_t c = margins.before + shape.c + margins.after;
  return make(shape, margins, false, draw(shape.n * c * shape.h * shape.w, low, high), dtype_);
}

Tensor Rig::f32_tensor(Shape shape, Margins margins) {
  const int64_t c = margins.before + shape.c + margins.after;
  return make(shape, margins, false, draw(shape.n * c * shape.h * shape.w), DType::f32);
}

Tensor Rig::planar(Shape shape, float low, float high) {
  return make(shape, {}, true, draw(static_cast<int64_t>(shape.n) * shape.c * shape.h * shape.w, low, high), dtype_);
}

Tensor Rig::with_values(Shape shape, const std::vector<float>& nchw) { return make(shape, {}, false, nchw, dtype_); }

void Rig::set(const Tensor& t, const std::vector<float>& nchw) {
  REQUIRE(static_cast<int64_t>(nchw.size()) == t.count());
  backend_.import_planar(nchw.data(), t);
}

std::vector<float> Rig::values(const Tensor& t) {
  std::vector<float> nchw(static_cast<size_t>(t.count()));
  backend_.export_planar(t, nchw.data());
  return nchw;
}

float* Rig::floats(const std::vector<float>& values) {
  const int64_t bytes = static_cast<int64_t>(values.size() * sizeof(float));
  float* array = static_cast<float*>(memory(bytes));
  backend_.upload(array, values.data(), bytes);
  return array;
}

float* Rig::channels(int c, float low, float high) {
  std::vector<float> values = draw(c, low, high);
  values.resize(static_cast<size_t>(padded_channels(c)), 0.0f);
  return floats(values);
}

std::vector<float> Rig::read(const float* floats, int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  backend_.download(values.data(), floats, count * static_cast<int64_t>(sizeof(float)));
  return values;
}

const StepValues* Rig::step(const StepValues& values) {
  void* device = memory(sizeof values);
  backend_.upload(device, &values, sizeof values);
  return static_cast<const StepValues*>(device);
}

bool Rig::update(const std::vector<SgdArgs>& arrays, float rate, float average_share) {
  int32_t* flag = static_cast<int32_t*>(memory(sizeof(int32_t)));
  backend_.update(arrays, step({0, 0, rate, average_share}), flag);
  int32_t not_finite = -1;
  backend_.download(&not_finite, flag, sizeof not_finite);
  return not_finite == 0;
}

void Rig::record(const std::string& name, const Tensor& t) {
  for (const Buffer& buffer : buffers_) {
    if (buffer.whole.data != t.data) continue;
    const std::vector<float> after = values(buffer.whole);
    const int64_t places = plane_size(t);
    int64_t changed = 0;
    for (int64_t i = 0; i < static_cast<int64_t>(after.size()); ++i) {
      const int64_t c = i / places % buffer.whole.c;
      if ((c < t.c_offset || c >= t.c_offset + t.c) && after[i] != buffer.initial[i]) ++changed;
    }
    CHECK_MESSAGE(changed == 0, name, ": values outside the view changed");
  }
  record_values(name, values(t));
}

void Rig::record_channels(const std::string& name, const float* channels, int c) {
  std::vector<float> padded = read(channels, padded_channels(c));
  int64_t changed = 0;
  for (size_t i = static_cast<size_t>(c); i < padded.size(); ++i) changed += padded[i] != 0;
  CHECK_MESSAGE(changed == 0, name, ": the padding of a per-channel array is not zero");
  padded.resize(static_cast<size_t>(c));
  record_values(name, std::move(padded));
}

std::vector<std::unique_ptr<Backend>> all_backends() {
  std::vector<std::unique_ptr<Backend>> backends;
  backends.push_back(make_reference_backend());
  for (const DeviceInfo& device : list_devices())
    if (device.usable) backends.push_back(make_backend(device.id, 2));
  backends.push_back(make_cpu_backend(2, CpuKernels::avx2));
  backends.push_back(make_cuda_backend(0));  // its kernels, emulated on the processor
  return backends;
}

void note_figure(const Backend& backend, DType dtype, const std::string& operation, double error, double allowed) {
  static const char* const path = std::getenv("DK_FIGURES");
  if (path == nullptr) return;
  std::ofstream(path, std::ios::app) << backend.description() << '\t' << (dtype == DType::bf16 ? "bf16" : "f32") << '\t'
                                     << operation << '\t' << error << '\t' << allowed << '\n';
}

void on_every_backend(const std::function<void(Rig&)>& body) {
  for (const std::unique_ptr<Backend>& backend : all_backends()) {
    INFO(backend->description());
    Rig rig(*backend);
    body(rig);
  }
}

void on_every_type(const std::function<void(Backend&, DType)>& body) {
  for (const std::unique_ptr<Backend>& backend : all_backends()) {
    for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
      if (!backend->supports(dtype)) continue;
      INFO(backend->description(), ", ", dtype_name(dtype));
      body(*backend, dtype);
    }
  }
}

}  // namespace dk::test
