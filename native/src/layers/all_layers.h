// The layers there are; one function a file, listed in layer_registry.cpp.
#pragma once

#include "layers/layer_registry.h"

namespace dk {

LayerType convolutional_type();
LayerType maxpool_type();
LayerType avgpool_type();
LayerType upsample_type();
LayerType route_type();
LayerType shortcut_type();
LayerType dropout_type();
LayerType sam_type();
LayerType scale_channels_type();
LayerType yolo_type();

}  // namespace dk
