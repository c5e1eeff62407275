// Training pictures drawn on the card (backend/picture_renderer.h): tiers of decoded images, staging of those in none, and the
// drawing of a mini-batch on a stream of its own.
#pragma once

#include <memory>

#include "backend/backend.h"
#include "cuda/context.h"

namespace dk::cuda {

// device: the card's number. The back end's memory is used and its stream waited for.
std::unique_ptr<PictureRenderer> make_picture_renderer(Backend& backend, const Context& context, int device,
                                                       const RendererOptions& options);
RendererMemory picture_renderer_memory(const Backend& backend, const RendererOptions& options);

}  // namespace dk::cuda
