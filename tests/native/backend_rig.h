// What the tests of back ends stand on: a Rig hands an operation its tensors and arrays on one back end and collects what it
// wrote as plain NCHW arrays. Two rigs run through the same operation draw the same numbers, so their results can be compared.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace dk::test {

struct Shape {
  int n = 1, c = 1, h = 1, w = 1;
};

// Channels of the buffer on either side of a view. Multiples of 16, the coarsest granularity of any back end.
struct Margins {
  int before = 0, after = 0;
};

struct Result {
  std::string name;
  std::vector<float> values;
};

constexpr Activation kAllActivations[] = {Activation::linear, Activation::leaky, Activation::logistic, Activation::relu,
                                          Activation::relu6,  Activation::mish,  Activation::swish,    Activation::hard_mish,
                                          Activation::tanh_,  Activation::elu,   Activation::selu,     Activation::gelu,
                                          Activation::loggy,  Activation::ramp,  Activation::relie,    Activation::hardtan};

const char* activation_name(Activation activation);

// To the nearest bfloat16, or number of a type, ties to even.
float round_to_bf16(float value);
float round_to(DType dtype, float value);

// sqrt(sum (a-b)^2 / sum b^2); infinite if the lengths differ, a is not finite, or b is all zero and a is not.
double relative_error(const std::vector<float>& a, const std::vector<float>& b);

class Rig {
 public:
  // drawn: drawn numbers are numbers of this type, whatever `dtype` stores them.
  Rig(Backend& backend, DType dtype, DType drawn);
  explicit Rig(Backend& backend) : Rig(backend, DType::f32, DType::f32) {}
  ~Rig();
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  Backend& backend() { return backend_; }
  DType dtype() const { return dtype_; }

  // A tensor of drawn numbers; its buffer's other channels are drawn too, and must not change.
  Tensor tensor(Shape shape, Margins margins = {}, float low = -1, float high = 1);
  // The same in f32 whatever the rig's type is.
  Tensor f32_tensor(Shape shape, Margins margins = {});
  Tensor planar(Shape shape, float low = -1, float high = 1);
  Tensor with_values(Shape shape, const std::vector<float>& nchw);
  void set(const Tensor& t, const std::vector<float>& nchw);
  std::vector<float> values(const Tensor& t);

  // Arrays on the back end: of drawn numbers, padded with zeros to padded_channels; of given numbers; of nothing.
  float* channels(int c, float low = -1, float high = 1);
  float* floats(const std::vector<float>& values);
  void* memory(int64_t bytes);
  std::vector<float> draw(int64_t count, float low = -1, float high = 1);
  std::vector<float> read(const float* floats, int64_t count);

  // In the back end's memory: what an operation reads of the step.
  const StepValues* step(const StepValues& values);
  // Backend::update at this rate, averages keeping this share; false if a w is not finite.
  bool update(const std::vector<SgdArgs>& arrays, float rate, float average_share = 0);

  // Keep the outcome: of a view (its buffer's other channels are checked), of a per-channel array (its padding is checked).
  void record(const std::string& name, const Tensor& t);
  void record_channels(const std::string& name, const float* channels, int c);
  void record_values(const std::string& name, std::vector<float> values) { results_.push_back({name, std::move(values)}); }
  const std::vector<Result>& results() const { return results_; }

 private:
  struct Buffer {
    Tensor whole;
    std::vector<float> initial;
  };

  Tensor make(Shape shape, Margins margins, bool planar, const std::vector<float>& buffer_values, DType dtype);

  Backend& backend_;
  const DType dtype_;
  const DType drawn_;
  uint64_t stream_ = 0;
  std::vector<void*> owned_;
  std::vector<Buffer> buffers_;
  std::vector<Result> results_;
};

// The reference, then every usable device, and the CPU as it is without AVX-512.
std::vector<std::unique_ptr<Backend>> all_backends();

// Appends "device, type, operation, error, allowed", parted by tabs, to the file that DK_FIGURES names: gpu-check's table.
void note_figure(const Backend& backend, DType dtype, const std::string& operation, double error, double allowed);

// body(rig) on each of them, in f32.
void on_every_backend(const std::function<void(Rig&)>& body);
// Runs the body on every back end with each type that it can train in.
void on_every_type(const std::function<void(Backend&, DType)>& body);

}  // namespace dk::test
