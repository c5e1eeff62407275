// On the processor there is no cuDNN: every convolution is done by the plain kernels. Those do whole layers in one go; for
// mini-batches of an odd number of images they are held to bare convolutions in training and for views, so that the tests see
// both ways.
#include <utility>

#include "cuda/conv_engine.h"

namespace dk::cuda {
namespace {

class BareEngine final : public ConvEngine {
 public:
  explicit BareEngine(std::unique_ptr<ConvEngine> engine) : engine_(std::move(engine)) {}
  int64_t workspace_bytes() const override { return engine_->workspace_bytes(); }
  void forward(const Tensor& x, const void* weights, const Tensor& y, void* workspace) override {
    engine_->forward(x, weights, y, workspace);
  }
  void backward_data(const Tensor& dy, const void* weights, const Tensor& dx, void* workspace) override {
    engine_->backward_data(dy, weights, dx, workspace);
  }
  void backward_weights(const Tensor& x, const Tensor& dy, void* dweights, void* workspace) override {
    engine_->backward_weights(x, dy, dweights, workspace);
  }
  bool forward_fused(const Tensor& x, const void* weights, const Epilogue& epilogue, const Tensor& y, void* workspace,
                     const std::function<void()>& apart) override {
    if (!epilogue.changes_values() || x.c != x.buffer_c || y.c != y.buffer_c)
      return ConvEngine::forward_fused(x, weights, epilogue, y, workspace, apart);
    return engine_->forward_fused(x, weights, epilogue, y, workspace, apart);
  }

 private:
  const std::unique_ptr<ConvEngine> engine_;
};

}  // namespace

void open_engines(Context*) {}
void close_engines(Context*) {}
int64_t plans_generation(const Context&) { return 0; }

std::unique_ptr<ConvEngine> make_conv_engine(const Context& context, const ConvDesc& desc) {
  std::unique_ptr<ConvEngine> engine = make_direct_engine(context, desc);
  if (desc.n % 2 == 1) return std::make_unique<BareEngine>(std::move(engine));
  return engine;
}

}  // namespace dk::cuda
