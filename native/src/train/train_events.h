// What a training run tells the outside: one struct an event, and the interface that receives them. The program prints them
// as Darknet's lines or as JSON (docs/protocol.md).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "layers/yolo_head.h"
#include "train/mean_average_precision.h"

namespace dk {

struct HelloEvent {
  std::string device, precision, cfg, base;
  int threads = 0, processes = 1;  // threads of each
  uint64_t seed = 0;
  int width = 0, height = 0, batch = 0, mini_batch = 0, subdivisions = 0, classes = 0;
  int64_t max_batches = 0, start_iteration = 0;
  size_t images_train = 0, images_valid = 0;
  int64_t memory_bytes = 0;         // planned, the whole process
  int64_t device_memory_bytes = 0;  // planned, of a card
  float learning_rate = 0, momentum = 0, decay = 0;
  int save_weights = 0, save_last = 0;
  std::vector<int> yolo_layers;
};

struct SmallerEvent {  // memory was refused: fewer images at a time from the next step on
  int64_t iteration = 0;
  int before = 0, mini_batch = 0, subdivisions = 0;
  std::string reason;
};

struct YoloLineEvent {  // one head, one mini-batch
  int layer = 0, mini_batch = 0;
  const YoloParams* params = nullptr;
  YoloStats stats;
  bool show_details = true;
};

struct StepEvent {
  int64_t iteration = 0, max_batches = 0, images = 0;
  double loss = 0, avg_loss = 0, rate = 0;
  double seconds = 0, load_seconds = 0, eta_seconds = -1;
  int width = 0, height = 0;
  bool map_wanted = false;
  int64_t next_map = 0;
  double last_map = -1, best_map = -1;
  float iou_thresh = 0.5f;
};

struct EvalEvent {
  int64_t iteration = 0;
  MapResult result;
  double best = 0, seconds = 0;
  bool is_best = false;
};

struct SampleEvent {
  int64_t iteration = 0;
  std::string image;
  std::vector<Detection> detections;
};

struct CheckpointEvent {
  int64_t iteration = 0;
  std::string path, kind;  // best, last, final, numbered, ema, state
};

struct DoneEvent {
  int64_t iteration = 0;
  double map = -1, best = -1, seconds = 0;
  std::string weights, reason;  // finished, stopped
  std::string unmeasured;       // why there is no mAP of the last step; "" when there is one or none is wanted
};

enum class LogLevel { info, warning };

class TrainListener {
 public:
  virtual ~TrainListener() = default;
  virtual void hello(const HelloEvent&) = 0;
  virtual void resized(int width, int height) = 0;
  virtual void smaller(const SmallerEvent&) {}  // a warning with the same words follows
  virtual void yolo_line(const YoloLineEvent&) = 0;
  virtual void step(const StepEvent&) = 0;
  virtual void eval(const EvalEvent&) = 0;
  virtual void sample(const SampleEvent&) = 0;
  virtual void checkpoint(const CheckpointEvent&) = 0;
  virtual void done(const DoneEvent&) = 0;
  virtual void log(LogLevel level, const std::string& text) = 0;  // any thread
};

// For whoever wants to hear little of it.
class QuietListener : public TrainListener {
 public:
  void hello(const HelloEvent&) override {}
  void resized(int, int) override {}
  void yolo_line(const YoloLineEvent&) override {}
  void step(const StepEvent&) override {}
  void eval(const EvalEvent&) override {}
  void sample(const SampleEvent&) override {}
  void checkpoint(const CheckpointEvent&) override {}
  void done(const DoneEvent&) override {}
  void log(LogLevel, const std::string&) override {}
};

}  // namespace dk
