// The decoded images that stay where the card can read them: first its own memory, then pinned memory of the host. Room is taken
// once, at the start; images fill it as they come and stay. With every image drawn about equally often, in random order, throwing
// one out for another would only cost.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "backend/backend.h"
#include "cuda/handles.h"

namespace dk::cuda {

struct HeldImage {
  const uint8_t* pixels = nullptr;
  int w = 0, h = 0;
};

class ImageTiers {
 public:
  // Takes less where so much is not to be had.
  ImageTiers(Backend& backend, const Context& context, int device, const RendererOptions& options);
  ~ImageTiers();
  ImageTiers(const ImageTiers&) = delete;
  ImageTiers& operator=(const ImageTiers&) = delete;

  // Any thread may call these.
  bool hold(const RenderSource& image);
  const HeldImage* find(int number) const;  // null where it isn't held

  RendererTier device() const { return tier(device_); }
  RendererTier pinned() const { return tier(pinned_); }

 private:
  enum class State : int { absent, copying, held };
  struct Place {
    std::atomic<State> state{State::absent};
    HeldImage image;
  };
  struct Room {
    uint8_t* memory = nullptr;
    int64_t bytes = 0, used = 0, images = 0;
  };

  RendererTier tier(const Room& room) const;
  uint8_t* take(Room& room, int64_t bytes);

  Backend& backend_;
  const int device_number_, channels_, images_;
  std::unique_ptr<Place[]> places_;
  Stream stream_;
  mutable std::mutex mutex_;  // guards the rooms' figures
  Room device_, pinned_;
};

}  // namespace dk::cuda
