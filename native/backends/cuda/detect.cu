// The arrays that detection works on, and the order of its kernels. Candidates are counted first, then taken a chunk of images at
// a time, so that a network that finds something everywhere needs no more memory than another.
#include "cuda/detect.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/status.h"
#include "cuda/detect_kernels.h"

namespace dk::cuda {
namespace {

// Candidates of one chunk where the heads have fewer slots.
constexpr int kLeastRoom = 32768;

int chunk_room(int slots) { return std::max(slots, kLeastRoom); }

int power_of_two(int least) {
  int size = 1;
  while (size < least) size *= 2;
  return size;
}

struct Sizes {
  int64_t lists, counts, images, frames, boxes, objectness, probs, suppressed, ranked;

  Sizes(int batch, int slots, int classes) {
    const int64_t room = chunk_room(slots), rows = classes;
    lists = int64_t{4} * batch * slots;
    counts = int64_t{4} * batch;
    images = static_cast<int64_t>(sizeof(ChunkImage)) * batch;
    frames = static_cast<int64_t>(sizeof(BoxFrame)) * batch;
    boxes = static_cast<int64_t>(sizeof(Box)) * room;
    objectness = 4 * room;
    probs = 4 * room * rows;
    suppressed = room * rows;
    ranked = 4 * 2 * room * (rows + 1);  // rounding up to a power of two less than doubles it
  }
  int64_t all() const { return lists + counts + images + frames + 2 * (boxes + objectness + probs) + suppressed + ranked; }
};

class Array {
 public:
  explicit Array(Backend& backend, int64_t bytes = 0) : backend_(backend) { reserve(bytes); }
  ~Array() {
    if (memory_ != nullptr) backend_.release(memory_);
  }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;

  void reserve(int64_t bytes) {
    if (bytes <= bytes_) return;
    if (memory_ != nullptr) backend_.release(std::exchange(memory_, nullptr));
    bytes_ = 0;
    memory_ = backend_.allocate(bytes);
    bytes_ = bytes;
  }

  template <class T>
  T* of() const {
    return static_cast<T*>(memory_);
  }

  template <class T>
  T* upload(const T* values, size_t count) {
    reserve(static_cast<int64_t>(sizeof(T) * count));
    backend_.upload(memory_, values, static_cast<int64_t>(sizeof(T) * count));
    return of<T>();
  }

 private:
  Backend& backend_;
  void* memory_ = nullptr;
  int64_t bytes_ = 0;
};

class CudaDetection final : public DeviceDetection {
 public:
  CudaDetection(Backend& backend, const Context& context, int batch, int slots, int classes)
      : CudaDetection(backend, context, slots, classes, Sizes(batch, slots, classes)) {}

  void place_pictures(const std::vector<PlacedPicture>& pictures, const Tensor& dst) override;
  std::vector<ObjectList> find_objects(const ObjectQuery& query, int images) override;

 private:
  CudaDetection(Backend& backend, const Context& context, int slots, int classes, const Sizes& sizes)
      : backend_(backend), context_(context), slots_(slots), classes_(classes), lists_(backend, sizes.lists),
        counts_(backend, sizes.counts), images_(backend, sizes.images), frames_(backend, sizes.frames),
        boxes_(backend, sizes.boxes), objectness_(backend, sizes.objectness), probs_(backend, sizes.probs),
        suppressed_(backend, sizes.suppressed), ranked_(backend, sizes.ranked), boxes_out_(backend, sizes.boxes),
        objectness_out_(backend, sizes.objectness), probs_out_(backend, sizes.probs), unit_(backend), pixels_(backend),
        taps_(backend), anchors_(backend) {}

  std::vector<HeadTask> head_tasks(const ObjectQuery& query);
  Chunk make_chunk(const std::vector<ChunkImage>& images);
  void run_chunk(const ObjectQuery& query, const std::vector<HeadTask>& heads, const std::vector<ChunkImage>& images,
                 std::vector<ObjectList>* found);

  Backend& backend_;
  const Context& context_;
  const int slots_, classes_;
  Array lists_, counts_, images_, frames_, boxes_, objectness_, probs_, suppressed_, ranked_;
  Array boxes_out_, objectness_out_, probs_out_;
  Array unit_, pixels_, taps_, anchors_;  // of the size that the first calls need
};

void CudaDetection::place_pictures(const std::vector<PlacedPicture>& pictures, const Tensor& dst) {
  if (unit_.of<float>() == nullptr) {
    std::array<float, 256> unit;
    for (size_t i = 0; i < unit.size(); ++i) unit[i] = static_cast<float>(i) * (1.0f / 255.0f);
    unit_.upload(unit.data(), unit.size());
  }
  std::vector<CornerTap> taps;
  for (size_t i = 0; i < pictures.size(); ++i) {
    const PlacedPicture& p = pictures[i];
    PictureTask task{};
    task.image = static_cast<int>(i);
    if (p.ready != nullptr) {
      task.ready = pixels_.upload(p.ready, static_cast<size_t>(dst.c) * static_cast<size_t>(dst.h) * static_cast<size_t>(dst.w));
    } else {
      DK_ASSERT(p.channels == dst.c || p.channels == 1);
      taps.clear();
      const float across = corner_step(p.picture_w, p.w), down = corner_step(p.picture_h, p.h);
      for (int x = 0; x < p.w; ++x) taps.push_back(corner_tap(x, p.picture_w, p.w, across));
      for (int y = 0; y < p.h; ++y) taps.push_back(corner_tap(y, p.picture_h, p.h, down));
      const size_t area = static_cast<size_t>(p.picture_w) * static_cast<size_t>(p.picture_h);
      task.pixels = pixels_.upload(p.pixels, area * static_cast<size_t>(p.channels));
      task.unit = unit_.of<float>();
      task.columns = taps_.upload(taps.data(), taps.size());
      task.rows = task.columns + p.w;
      task.picture_w = p.picture_w, task.channels = p.channels;
      task.x = p.x, task.y = p.y, task.w = p.w, task.h = p.h;
    }
    place_picture(context_, task, dst);
  }
}

std::vector<HeadTask> CudaDetection::head_tasks(const ObjectQuery& query) {
  std::vector<float> anchors;
  for (const RawHead& head : query.heads) {
    for (int slot = 0; slot < head.params.mask_count; ++slot) {
      const float* pair = head.params.anchors + 2 * head.params.mask[slot];
      anchors.insert(anchors.end(), {pair[0], pair[1]});
    }
  }
  const float* at = anchors_.upload(anchors.data(), anchors.size());
  std::vector<HeadTask> tasks;
  int base = 0;
  for (const RawHead& head : query.heads) {
    DK_ASSERT(head.params.classes == classes_ && head.raw->c == head.params.mask_count * head.params.entries());
    HeadTask task{head.params, at, base, query.net_w, query.net_h, query.threshold};
    task.params.anchors = nullptr, task.params.mask = nullptr, task.params.class_multipliers = nullptr;
    tasks.push_back(task);
    at += 2 * head.params.mask_count;
    base += head.raw->h * head.raw->w * head.params.mask_count;
  }
  DK_ASSERT(base <= slots_);
  return tasks;
}

std::vector<ObjectList> CudaDetection::find_objects(const ObjectQuery& query, int images) {
  std::vector<ObjectList> found(static_cast<size_t>(images));
  if (query.heads.empty()) return found;
  const std::vector<HeadTask> heads = head_tasks(query);
  if (!query.frames.empty()) frames_.upload(query.frames.data(), query.frames.size());
  backend_.zero(counts_.of<int>(), int64_t{4} * images);
  for (size_t h = 0; h < heads.size(); ++h)
    list_candidates(context_, *query.heads[h].raw, heads[h], images, slots_, lists_.of<int>(), counts_.of<int>());
  std::vector<int> counts(static_cast<size_t>(images));
  backend_.download(counts.data(), counts_.of<int>(), int64_t{4} * images);
  std::vector<ChunkImage> chunk;
  int start = 0, ranked = 0;
  const auto flush = [&] {
    if (start > 0) run_chunk(query, heads, chunk, &found);
    chunk.clear();
    start = ranked = 0;
  };
  for (int image = 0; image < images; ++image) {
    const int count = counts[static_cast<size_t>(image)];
    if (start + count > chunk_room(slots_)) flush();
    chunk.push_back({image, count, start, ranked, power_of_two(count)});
    start += count;
    ranked += count > 0 ? power_of_two(count) : 0;
  }
  flush();
  return found;
}

Chunk CudaDetection::make_chunk(const std::vector<ChunkImage>& images) {
  Chunk chunk{};
  chunk.images = images_.upload(images.data(), images.size());
  chunk.image_count = static_cast<int>(images.size());
  for (const ChunkImage& image : images) chunk.most = std::max(chunk.most, image.count);
  chunk.classes = classes_;
  chunk.boxes = boxes_.of<Box>();
  chunk.objectness = objectness_.of<float>();
  chunk.probs = probs_.of<float>();
  chunk.suppressed = suppressed_.of<uint8_t>();
  chunk.ranked = ranked_.of<int>();
  return chunk;
}

void CudaDetection::run_chunk(const ObjectQuery& query, const std::vector<HeadTask>& heads, const std::vector<ChunkImage>& images,
                              std::vector<ObjectList>* found) {
  const Chunk chunk = make_chunk(images);
  const size_t total = static_cast<size_t>(images.back().start + images.back().count), classes = static_cast<size_t>(classes_);
  const BoxFrame* frames = query.frames.empty() ? nullptr : frames_.of<BoxFrame>();
  for (size_t h = 0; h < heads.size(); ++h)
    decode_candidates(context_, *query.heads[h].raw, heads[h], lists_.of<int>(), slots_, frames, chunk);
  const bool suppresses = query.nms > 0;
  if (suppresses) {
    backend_.zero(chunk.suppressed, static_cast<int64_t>(total * classes));
    suppress(context_, {query.nms_kind, query.beta_nms, query.nms}, chunk, boxes_out_.of<Box>(), objectness_out_.of<float>(),
             probs_out_.of<float>());
  }
  std::vector<Box> boxes(total);
  std::vector<float> objectness(total), probs(total * classes);
  const auto take = [&](auto& into, const Array& plain, const Array& ordered) {
    backend_.download(into.data(), (suppresses ? ordered : plain).of<void>(),
                      static_cast<int64_t>(into.size() * sizeof(into[0])));
  };
  take(boxes, boxes_, boxes_out_);
  take(objectness, objectness_, objectness_out_);
  take(probs, probs_, probs_out_);
  for (const ChunkImage& image : images) {
    ObjectList& list = (*found)[static_cast<size_t>(image.image)];
    const auto first = static_cast<std::ptrdiff_t>(image.start), end = first + image.count;
    list.boxes.assign(boxes.begin() + first, boxes.begin() + end);
    list.objectness.assign(objectness.begin() + first, objectness.begin() + end);
    list.probs.assign(probs.begin() + first * classes_, probs.begin() + end * classes_);
  }
}

}  // namespace

std::unique_ptr<DeviceDetection> make_detection(Backend& backend, const Context& context, int batch, int slots, int classes) {
  return std::make_unique<CudaDetection>(backend, context, batch, slots, classes);
}

int64_t detection_bytes(int batch, int slots, int classes) { return Sizes(batch, slots, classes).all(); }

}  // namespace dk::cuda
