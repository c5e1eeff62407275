// Keeping images (see image_tiers.h). A thread copies its image outside of the lock; others see it when it is all there.
#include "cuda/image_tiers.h"

#include <cstring>

namespace dk::cuda {
namespace {

constexpr int64_t kAlignment = 64;        // images begin on a line
constexpr int64_t kLeastRoom = 16 << 20;  // what is worth less trouble is left

}  // namespace

ImageTiers::ImageTiers(Backend& backend, const Context& context, int device, const RendererOptions& options)
    : backend_(backend), device_number_(device), channels_(options.channels), images_(options.images),
      places_(std::make_unique<Place[]>(static_cast<size_t>(options.images))) {
  for (int64_t bytes = options.device_bytes; bytes > 0 && device_.memory == nullptr; bytes /= 2) {
    try {
      device_.memory = static_cast<uint8_t*>(backend_.allocate(bytes));
      device_.bytes = bytes;
    } catch (const Error& error) {
      if (error.status() != Status::memory) throw;
      if (bytes / 2 < kLeastRoom) break;
    }
  }
  for (int64_t bytes = options.pinned_bytes; bytes > 0 && pinned_.memory == nullptr; bytes /= 2) {
    void* memory = nullptr;
    if (cudaHostAlloc(&memory, static_cast<size_t>(bytes), cudaHostAllocPortable | cudaHostAllocMapped) == cudaSuccess) {
      pinned_.memory = static_cast<uint8_t*>(memory);
      pinned_.bytes = bytes;
    } else {
      cudaGetLastError();
      if (bytes / 2 < kLeastRoom) break;
    }
  }
  DK_CUDA(cudaStreamSynchronize(context.stream));  // memory is cleared there
}

ImageTiers::~ImageTiers() {
  cudaStreamSynchronize(stream_);
  if (device_.memory != nullptr) backend_.release(device_.memory);
  if (pinned_.memory != nullptr) cudaFreeHost(pinned_.memory);
}

uint8_t* ImageTiers::take(Room& room, int64_t bytes) {
  const int64_t rounded = ceil_div(bytes, kAlignment) * kAlignment;
  if (room.used + rounded > room.bytes) return nullptr;
  uint8_t* memory = room.memory + room.used;
  room.used += rounded;
  ++room.images;
  return memory;
}

bool ImageTiers::hold(const RenderSource& image) {
  DK_ASSERT(image.number >= 0 && image.number < images_ && image.pixels != nullptr);
  Place& place = places_[static_cast<size_t>(image.number)];
  State state = State::absent;
  if (!place.state.compare_exchange_strong(state, State::copying)) return state == State::held;
  const int64_t bytes = static_cast<int64_t>(image.w) * image.h * channels_;
  uint8_t* to = nullptr;
  bool on_card = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    to = take(device_, bytes);
    on_card = to != nullptr;
    if (!on_card) to = take(pinned_, bytes);
  }
  if (to == nullptr) {
    place.state = State::absent;
    return false;
  }
  if (on_card) {
    DK_CUDA(cudaSetDevice(device_number_));
    DK_CUDA(cudaMemcpyAsync(to, image.pixels, static_cast<size_t>(bytes), cudaMemcpyHostToDevice, stream_));
    DK_CUDA(cudaStreamSynchronize(stream_));
  } else {
    std::memcpy(to, image.pixels, static_cast<size_t>(bytes));
  }
  place.image = {to, image.w, image.h};
  place.state.store(State::held, std::memory_order_release);
  return true;
}

const HeldImage* ImageTiers::find(int number) const {
  DK_ASSERT(number >= 0 && number < images_);
  const Place& place = places_[static_cast<size_t>(number)];
  return place.state.load(std::memory_order_acquire) == State::held ? &place.image : nullptr;
}

RendererTier ImageTiers::tier(const Room& room) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return {room.images, room.used, room.bytes};
}

}  // namespace dk::cuda
