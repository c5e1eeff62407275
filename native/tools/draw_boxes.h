// Frames around found objects, a colour a class.
#pragma once

#include "data/image.h"
#include "math/box.h"

namespace dk {

// image: RGB. The box is relative to the image and may stick out of it.
void draw_box(Image8* image, const Box& box, int class_id);

}  // namespace dk
