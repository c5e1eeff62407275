// A thin layer over cuDNN's graph interface: a graph of operations on described tensors, the plans that can execute it, and their
// execution. Tensors are channels last; each has a number by which its memory is given at execution.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend.h"
#include "cuda/cudnn_api.h"

namespace dk::cuda {

// An object of cuDNN's. Throws Error(device) when an attribute is refused.
class CudnnDescriptor {
 public:
  explicit CudnnDescriptor(cudnnBackendDescriptorType_t type);
  ~CudnnDescriptor();
  CudnnDescriptor(CudnnDescriptor&& other) noexcept : raw_(std::exchange(other.raw_, nullptr)) {}
  CudnnDescriptor& operator=(CudnnDescriptor&& other) noexcept {
    std::swap(raw_, other.raw_);
    return *this;
  }

  cudnnBackendDescriptor_t raw() const { return raw_; }
  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count, const void* values);
  void set_one(cudnnBackendAttributeName_t name, const CudnnDescriptor& value);
  void set_number(cudnnBackendAttributeName_t name, int64_t value) { set(name, CUDNN_TYPE_INT64, 1, &value); }
  cudnnStatus_t finalize() { return cudnn().finalize(raw_); }

 private:
  cudnnBackendDescriptor_t raw_ = nullptr;
};

// What plans are made for: a card in use, or the description of one in JSON, for which plans can be made but not executed.
class CudnnTarget {
 public:
  explicit CudnnTarget(cudnnHandle_t handle) : handle_(handle) {}
  explicit CudnnTarget(const std::string& device_json);

  // Names the target to a graph, a heuristic or a plan.
  void tell(CudnnDescriptor* of, int handle_attribute, int device_attribute) const;

 private:
  cudnnHandle_t handle_ = nullptr;
  std::unique_ptr<CudnnDescriptor> device_;
};

struct PlanRules {
  bool exact = false;           // float: no tensor cores, no rounding of inputs, no transforms
  bool deterministic = true;    // the same bits every time
  bool compiled = true;         // also kernels that are compiled at run time: seconds each
  int64_t workspace_bytes = 0;  // at most
};

class CudnnPlan {
 public:
  CudnnPlan(CudnnDescriptor plan, int64_t workspace_bytes) : plan_(std::move(plan)), workspace_bytes_(workspace_bytes) {}
  // From what text() gave, for the same card and cuDNN; nothing where cuDNN does not take it.
  static std::optional<CudnnPlan> from_text(const CudnnTarget& target, const std::string& text);

  int64_t workspace_bytes() const { return workspace_bytes_; }
  // The plan with its compiled kernels in cuDNN's own words; "" where it can't be put into words.
  std::string text() const;

  // (number of the tensor, where it lies)
  using Memory = std::vector<std::pair<int64_t, const void*>>;
  // What a caller keeps from one execution to the next: memory seldom changes.
  struct Call {
    std::unique_ptr<CudnnDescriptor> pack;
    Memory memory;
    void* workspace = nullptr;
  };
  void execute(cudnnHandle_t handle, const Memory& memory, void* workspace, Call* call) const;

 private:
  CudnnDescriptor plan_;
  int64_t workspace_bytes_;
};

class CudnnGraph {
 public:
  using Id = size_t;

  // n x c x h x w, channels last, of a buffer with so many channels.
  Id tensor(int64_t number, const int64_t (&dims)[4], DType dtype, int64_t buffer_c);
  Id tensor(int64_t number, const int64_t (&dims)[4], DType dtype) { return add_tensor(number, dims, dtype, dims[1], false); }
  // One that lives only within the graph.
  Id inner(int64_t number, const int64_t (&dims)[4], DType dtype) { return add_tensor(number, dims, dtype, dims[1], true); }

  struct Convolution {
    int stride_x, stride_y, padding, dilation;
  };
  void conv_forward(const Convolution& conv, Id x, Id w, Id y);
  void conv_backward_data(const Convolution& conv, Id dy, Id w, Id dx);
  void conv_backward_weights(const Convolution& conv, Id x, Id dy, Id dw);
  // y = mode(x) or mode(x, b), computed in float. slope: of RELU below zero.
  void pointwise(cudnnPointwiseMode_t mode, Id x, Id y, float slope = 0);
  void pointwise(cudnnPointwiseMode_t mode, Id x, Id b, Id y);
  // dx = dy * mode's slope at x
  void pointwise_backward(cudnnPointwiseMode_t mode, Id x, Id dy, Id dx, float slope);
  // y (1 x c x 1 x 1) = sum of x over images and places
  void sum_places(Id x, Id y);

  // Plans that obey the rules, best first by cuDNN's own judgement, at most so many. Empty: cuDNN has none.
  std::vector<CudnnPlan> plans(const CudnnTarget& target, const PlanRules& rules, size_t most) const;

 private:
  CudnnDescriptor convolution(const Convolution& conv) const;
  void add_convolution(cudnnBackendDescriptorType_t type, const Convolution& conv,
                       std::initializer_list<std::pair<int, Id>> tensors, int conv_attribute, int alpha, int beta);

  Id add_tensor(int64_t number, const int64_t (&dims)[4], DType dtype, int64_t buffer_c, bool is_virtual);
  void add_pointwise(cudnnPointwiseMode_t mode, std::initializer_list<std::pair<int, Id>> tensors, float slope);

  std::vector<CudnnDescriptor> tensors_, parts_, operations_;
};

}  // namespace dk::cuda
