// A mini-batch is drawn in portions: as many pictures as have room for their images that are in no tier, and for their blur. For
// each portion the plans and those images are written into pinned memory, sent in one piece and drawn, all on a stream of its
// own; two such stages take turns, so that one is written while the other is on its way. The drawing goes into a buffer, from
// which the back end's stream copies it: the network still reads the input of the mini-batch before while the next one is drawn.
#include "cuda/picture_renderer.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <vector>

#include "cuda/handles.h"
#include "cuda/image_tiers.h"
#include "cuda/render.h"
#include "cuda/view.h"

namespace dk::cuda {
namespace {

constexpr int kStages = 2;
constexpr int kMostSources = 4;                    // of a picture: a mosaic
constexpr int64_t kBlurBytes = int64_t{64} << 20;  // room for blur, but for that of one picture at least
constexpr int64_t kAlignment = 256;
// Of one picture's plan, with what a blur says about 50 boxes; more is taken when it is needed.
constexpr int64_t kPlanBytes = sizeof(DevicePicture) + kMostSources * (sizeof(DevicePatch) + sizeof(int));
constexpr int64_t kBlurPlanBytes = kMostSources * (17 * sizeof(float) + 50 * sizeof(PixelBox));

int64_t aligned(int64_t bytes) { return ceil_div(bytes, kAlignment) * kAlignment; }

int64_t blur_room_floats(const RendererOptions& o) { return int64_t{o.w} * o.h * o.channels; }

// Patches that can blur at the same time.
int blur_rooms(const RendererOptions& o) {
  if (!o.blurs) return 0;
  const int64_t each = 2 * blur_room_floats(o) * int64_t{sizeof(float)};
  return static_cast<int>(std::clamp<int64_t>(kBlurBytes / each, kMostSources, int64_t{o.batch} * kMostSources));
}

int64_t blur_bytes(const RendererOptions& o) { return blur_rooms(o) * 2 * blur_room_floats(o) * int64_t{sizeof(float)}; }

int64_t stage_bytes(const RendererOptions& o) {
  return aligned(o.batch * (kPlanBytes + (o.blurs ? kBlurPlanBytes : 0))) + aligned(o.staged_bytes) + 4 * kAlignment;
}

int64_t drawing_bytes(const Backend& backend, const RendererOptions& o) {
  return backend.tensor_bytes(o.batch, o.channels, o.h, o.w, o.dtype, true);
}

// One of the buffers that take turns: pinned memory and as much on the card.
struct Stage {
  char* host = nullptr;
  char* device = nullptr;
  int64_t bytes = 0;
  Event done{cudaEventDisableTiming};  // what was sent from it has been drawn
};

// A portion's plans as they are laid out in a stage, one kind after the other; images follow.
struct Portion {
  std::vector<DevicePicture> pictures;
  std::vector<DevicePatch> patches;
  std::vector<int> blurred;
  std::vector<float> weights;
  std::vector<PixelBox> sharp;
  std::unordered_map<int, int64_t> images;  // number -> where it lies among the images of the stage
  std::vector<const RenderSource*> staged;
  int64_t image_bytes = 0;

  int64_t plan_bytes() const {
    return aligned(bytes_of(pictures)) + aligned(bytes_of(patches)) + aligned(bytes_of(blurred)) + aligned(bytes_of(weights)) +
           aligned(bytes_of(sharp));
  }
  template <class T>
  static int64_t bytes_of(const std::vector<T>& list) {
    return static_cast<int64_t>(list.size() * sizeof(T));
  }
};

class CudaPictureRenderer final : public PictureRenderer {
 public:
  CudaPictureRenderer(Backend& backend, const Context& context, int device, const RendererOptions& options)
      : backend_(backend), context_(context), options_(options), tiers_(backend, context, device, options) {
    DK_ASSERT((options.channels == 1 || options.channels == 3) && options.batch >= 1 && options.w >= 1 && options.h >= 1);
    try {
      drawing_ = backend_.allocate(drawing_bytes(backend, options));
      if (options.blurs) blur_ = static_cast<float*>(backend_.allocate(blur_bytes(options)));
      for (Stage& stage : stages_) make_room(stage, stage_bytes(options));
      DK_CUDA(cudaStreamSynchronize(context_.stream));  // memory is cleared there
    } catch (...) {
      give_back();
      throw;
    }
  }

  ~CudaPictureRenderer() override { give_back(); }

  bool hold(const RenderSource& image) override { return tiers_.hold(image); }
  RendererTier device_tier() const override { return tiers_.device(); }
  RendererTier pinned_tier() const override { return tiers_.pinned(); }

  std::string describe() const override {
    const auto megabytes = [](const RendererTier& tier) { return static_cast<double>(tier.room) / 1e6; };
    return strf(
        "training pictures are drawn on the card; decoded images stay in %.0f MB of its memory, then in %.0f MB of pinned host "
        "memory, others are decoded each time",
        megabytes(tiers_.device()), megabytes(tiers_.pinned()));
  }

  void render(const RenderBatch& batch) override {
    DK_ASSERT(!batch.pictures.empty() && static_cast<int>(batch.pictures.size()) <= options_.batch);
    DK_ASSERT(batch.w >= 1 && batch.h >= 1 && int64_t{batch.w} * batch.h <= int64_t{options_.w} * options_.h);
    shape_ = {batch.w, batch.h, options_.channels};
    pictures_ = static_cast<int>(batch.pictures.size());
    DK_CUDA(cudaStreamWaitEvent(stream_, taken_, 0));
    int first = 0;
    while (first < pictures_) {
      Portion portion;
      int end = first;
      while (end < pictures_ && fits(portion, batch.pictures[static_cast<size_t>(end)])) {
        add(portion, batch.pictures[static_cast<size_t>(end++)]);
      }
      draw(portion, first);
      first = end;
    }
    DK_CUDA(cudaEventRecord(drawn_, stream_));
    waiting_ = true;
  }

  void put_into(const Tensor& input) override {
    DK_ASSERT(waiting_ && input.n == pictures_ && input.w == shape_.w && input.h == shape_.h && input.c == shape_.channels);
    DK_ASSERT(input.dtype == options_.dtype && input.c_offset == 0 && input.c == input.buffer_c);
    const int64_t bytes = backend_.tensor_bytes(input.n, input.c, input.h, input.w, input.dtype, input.planar);
    DK_CUDA(cudaStreamWaitEvent(context_.stream, drawn_, 0));
    DK_CUDA(cudaMemcpyAsync(input.data, drawing_, static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice, context_.stream));
    DK_CUDA(cudaEventRecord(taken_, context_.stream));
    waiting_ = false;
  }

 private:
  static bool blurs(const PatchPlan& plan) { return !plan.blur.weights.empty(); }

  // Whether there is room for another picture; for the first there always is.
  bool fits(const Portion& portion, const RenderPicture& picture) const {
    if (portion.pictures.empty()) return true;
    int64_t images = portion.image_bytes;
    for (const RenderSource& source : picture.sources) {
      if (tiers_.find(source.number) == nullptr && portion.images.count(source.number) == 0)
        images += aligned(image_bytes(source));
    }
    const auto more = std::count_if(picture.plan->patches.begin(), picture.plan->patches.end(), blurs);
    return images <= options_.staged_bytes && static_cast<int>(portion.blurred.size()) + more <= blur_rooms(options_);
  }

  int64_t image_bytes(const RenderSource& source) const { return int64_t{source.w} * source.h * options_.channels; }

  // Pointers into the stage are offsets as yet: they are known once everything is.
  void add(Portion& portion, const RenderPicture& picture) const {
    const PicturePlan& plan = *picture.plan;
    portion.pictures.push_back(
        {static_cast<int>(portion.patches.size()), static_cast<int>(plan.patches.size()), plan.seed, plan.iteration});
    for (const PatchPlan& part : plan.patches) {
      const RenderSource& source = picture.sources.at(static_cast<size_t>(part.patch.source));
      DevicePatch patch;
      patch.patch = part.patch;
      patch.patch.source = source.number;
      patch.w = source.w;
      patch.h = source.h;
      std::copy_n(source.mean, 3, patch.mean);
      patch.noise = part.noise;
      patch.noise_slot = part.noise_slot;
      if (const HeldImage* held = tiers_.find(source.number)) {
        DK_ASSERT(held->w == source.w && held->h == source.h);
        patch.pixels = held->pixels;
      } else if (portion.images.emplace(source.number, portion.image_bytes).second) {
        DK_ASSERT(source.pixels != nullptr);
        portion.staged.push_back(&source);
        portion.image_bytes += aligned(image_bytes(source));
      }
      if (blurs(part)) add_blur(portion, part.blur, patch);
      portion.patches.push_back(patch);
    }
  }

  void add_blur(Portion& portion, const BlurPlan& blur, DevicePatch& patch) const {
    const int room = static_cast<int>(portion.blurred.size());
    DK_ASSERT(room < blur_rooms(options_));
    patch.taps = static_cast<int>(blur.weights.size());
    patch.sharps = static_cast<int>(blur.sharp.size());
    patch.room.drawn = blur_ + 2 * room * blur_room_floats(options_);
    patch.room.rows = patch.room.drawn + blur_room_floats(options_);
    portion.blurred.push_back(static_cast<int>(portion.patches.size()));
    portion.weights.insert(portion.weights.end(), blur.weights.begin(), blur.weights.end());
    portion.sharp.insert(portion.sharp.end(), blur.sharp.begin(), blur.sharp.end());
  }

  void draw(Portion& portion, int first) {
    Stage& stage = stages_[next_stage_];
    next_stage_ = (next_stage_ + 1) % kStages;
    DK_CUDA(cudaEventSynchronize(stage.done));
    const int64_t plans = portion.plan_bytes(), bytes = plans + portion.image_bytes;
    if (bytes > stage.bytes) make_room(stage, bytes);
    // Where each list goes; the patches last, since they point at the others.
    int64_t at = 0;
    const auto put = [&](const auto& list) {
      const int64_t place = at;
      const int64_t size = Portion::bytes_of(list);
      if (size > 0) std::memcpy(stage.host + place, list.data(), static_cast<size_t>(size));
      at += aligned(size);
      return stage.device + place;
    };
    const auto* pictures = reinterpret_cast<const DevicePicture*>(put(portion.pictures));
    const auto* blurred = reinterpret_cast<const int*>(put(portion.blurred));
    const auto* weights = reinterpret_cast<const float*>(put(portion.weights));
    const auto* sharp = reinterpret_cast<const PixelBox*>(put(portion.sharp));
    for (DevicePatch& patch : portion.patches) {
      if (patch.pixels == nullptr)
        patch.pixels = reinterpret_cast<const uint8_t*>(stage.device + plans + portion.images.at(patch.patch.source));
      patch.weights = weights;
      patch.sharp = sharp;
      weights += patch.taps;
      sharp += patch.sharps;
    }
    const auto* patches = reinterpret_cast<const DevicePatch*>(put(portion.patches));
    for (const RenderSource* source : portion.staged) {
      std::memcpy(stage.host + plans + portion.images.at(source->number), source->pixels,
                  static_cast<size_t>(image_bytes(*source)));
    }
    DK_CUDA(cudaMemcpyAsync(stage.device, stage.host, static_cast<size_t>(bytes), cudaMemcpyHostToDevice, stream_));
    draw_blurs(stream_, shape_, patches, blurred, static_cast<int>(portion.blurred.size()));
    with_element(options_.dtype, [&]<class T>() {
      T* const out = static_cast<T*>(drawing_) + int64_t{first} * shape_.w * shape_.h * kLanes;
      draw_pictures(stream_, shape_, pictures, static_cast<int>(portion.pictures.size()), patches, out);
    });
    DK_CUDA(cudaEventRecord(stage.done, stream_));
  }

  void make_room(Stage& stage, int64_t bytes) {
    free_stage(stage);
    void* host = nullptr;
    DK_CUDA(cudaHostAlloc(&host, static_cast<size_t>(bytes), cudaHostAllocDefault));
    stage.host = static_cast<char*>(host);
    stage.device = static_cast<char*>(backend_.allocate(bytes));
    DK_CUDA(cudaStreamSynchronize(context_.stream));
    stage.bytes = bytes;
  }

  void free_stage(Stage& stage) {
    if (stage.host != nullptr) cudaFreeHost(stage.host);
    if (stage.device != nullptr) backend_.release(stage.device);
    stage.host = stage.device = nullptr;
    stage.bytes = 0;
  }

  void give_back() {
    cudaStreamSynchronize(stream_);
    cudaStreamSynchronize(context_.stream);
    for (Stage& stage : stages_) free_stage(stage);
    for (void* memory : {drawing_, static_cast<void*>(blur_)})
      if (memory != nullptr) backend_.release(memory);
  }

  Backend& backend_;
  const Context& context_;
  const RendererOptions options_;
  ImageTiers tiers_;
  Stream stream_;
  Event drawn_{cudaEventDisableTiming}, taken_{cudaEventDisableTiming};
  Stage stages_[kStages];
  int next_stage_ = 0;
  void* drawing_ = nullptr;
  float* blur_ = nullptr;
  DrawingShape shape_;
  int pictures_ = 0;
  bool waiting_ = false;  // drawn, not yet put into a tensor
};

}  // namespace

std::unique_ptr<PictureRenderer> make_picture_renderer(Backend& backend, const Context& context, int device,
                                                       const RendererOptions& options) {
  return std::make_unique<CudaPictureRenderer>(backend, context, device, options);
}

RendererMemory picture_renderer_memory(const Backend& backend, const RendererOptions& options) {
  const int64_t stages = kStages * stage_bytes(options);
  return {drawing_bytes(backend, options) + blur_bytes(options) + stages + options.device_bytes, stages + options.pinned_bytes};
}

}  // namespace dk::cuda
