// On the processor there is no cuDNN: every convolution is done by the plain kernels.
#include "cuda/conv_engine.h"

namespace dk::cuda {

void open_engines(Context*) {}
void close_engines(Context*) {}

std::unique_ptr<ConvEngine> make_conv_engine(const Context& context, const ConvDesc& desc) {
  return make_direct_engine(context, desc);
}

}  // namespace dk::cuda
