// The convolution of verifying_backend.h: the tensors of each call are those it was described with.
#pragma once

#include "verifying_backend.h"

namespace dk::test {

class VerifyingConv final : public ConvPlan {
 public:
  VerifyingConv(VerifyingBackend& backend, const ConvDesc& desc) : backend_(backend), ledger_(backend.ledger()), desc_(desc) {}

  // As a device that unfolds one image would ask for it.
  int64_t workspace_bytes() const override;
  int64_t private_bytes() const override { return 0; }
  void weights_changed(const float* weights) override;
  void forward(const Tensor& src, const float* weights, const float* bias, const Tensor* residual, const Tensor& dst,
               void* workspace) override;
  bool forward_summed(const Tensor& src, const float* weights, const Tensor& dst, const BatchNormArrays& bn,
                      void* workspace) override;
  void backward_data(const Tensor& ddst, const float* weights, const Tensor& dsrc, bool accumulate, void* workspace) override;
  bool backward_data_summed(const Tensor& ddst, const float* weights, const Tensor& dsrc, bool accumulate,
                            const NormBackward& layer, void* workspace) override;
  void backward_weights(const Tensor& src, const Tensor& ddst, float* dweights, bool accumulate, void* workspace) override;

 private:
  void begin(const char* operation, const float* weights, void* workspace, bool backward);
  void check_src(const Tensor& src, const char* role, bool is_delta);
  void check_dst(const Tensor& dst, const char* role, bool is_delta);

  VerifyingBackend& backend_;
  MemoryLedger& ledger_;
  const ConvDesc desc_;
  const float* ready_ = nullptr;  // the weights it was told of
};

}  // namespace dk::test
