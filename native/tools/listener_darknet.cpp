// Darknet's lines (darknet.md 4.9, 7.2, 8.3): stdout for the log, stderr for what upstream writes there.
#include <cmath>
#include <cstdio>
#include <mutex>

#include "listeners.h"

namespace dk {
namespace {

class DarknetListener : public TrainListener {
 public:
  explicit DarknetListener(const std::vector<std::string>& names) : names_(names) {}

  void hello(const HelloEvent& e) override {
    std::printf("%s\n", e.base.c_str());
    std::printf("net.optimized_memory = 0 \nmini_batch = %d, batch = %d, time_steps = 1, train = 1 \n", e.mini_batch, e.batch);
    for (int layer : e.yolo_layers) std::printf(" Detection layer: %d - type = 28 \n", layer);
    std::printf("Weights are saved after: %d iterations. Last weights (*_last.weight) are stored every %d iterations. \n",
                e.save_weights, e.save_last);
    std::printf("Learning Rate: %g, Momentum: %g, Decay: %g\n", static_cast<double>(e.learning_rate),
                static_cast<double>(e.momentum), static_cast<double>(e.decay));
    std::fflush(stdout);
  }

  void resized(int width, int height) override {
    std::printf("Resizing\n %d x %d \n", width, height);
    std::fflush(stdout);
  }

  void yolo_line(const YoloLineEvent& e) override {
    const YoloStats& s = e.stats;
    const double n = e.mini_batch;
    const IouLoss kind = e.params->iou_loss;
    const char* loss = kind == IouLoss::mse ? "mse" : kind == IouLoss::giou ? "giou" : "iou";
    if (e.show_details) {
      std::fprintf(stderr,
                   "v3 (%s loss, Normalizer: (iou: %.2f, obj: %.2f, cls: %.2f) Region %d Avg (IOU: %f), count: %d, class_loss = "
                   "%f, iou_loss = %f, "
                   "total_loss = %f \n",
                   loss, static_cast<double>(e.params->iou_normalizer), static_cast<double>(e.params->obj_normalizer),
                   static_cast<double>(e.params->cls_normalizer), e.layer, s.avg_iou,
                   static_cast<int>(std::max<int64_t>(1, s.count)), s.class_loss / n, s.iou_loss / n, s.total_loss / n);
    }
    total_bbox_ += s.total_bbox;
    rewritten_bbox_ += s.rewritten_bbox;
    if (total_bbox_ > 0) {
      std::fprintf(stderr, " total_bbox = %lld, rewritten_bbox = %f %% \n", static_cast<long long>(total_bbox_),
                   100.0 * static_cast<double>(rewritten_bbox_) / static_cast<double>(total_bbox_));
    }
  }

  void step(const StepEvent& e) override {
    const double hours = e.eta_seconds / 3600;
    std::printf("Loaded: %f seconds%s\n", e.load_seconds,
                e.load_seconds > 0.1 && e.avg_loss > 0 ? " - performance bottleneck on CPU or Disk HDD/SSD" : "");
    if (e.map_wanted) std::printf("\n (next mAP calculation at %lld iterations) ", static_cast<long long>(e.next_map));
    if (e.map_wanted && e.last_map > 0) {
      std::printf("\n Last accuracy mAP@%0.2f = %2.2f %%, best = %2.2f %% ", static_cast<double>(e.iou_thresh), 100 * e.last_map,
                  100 * e.best_map);
    }
    std::printf("\n %lld: %f, %f avg loss, %f rate, %f seconds, %lld images, %f hours left\n",
                static_cast<long long>(e.iteration), e.loss, e.avg_loss, e.rate, e.seconds, static_cast<long long>(e.images),
                e.iteration <= 1 ? -1.0 : hours);
    std::fflush(stdout);
  }

  void eval(const EvalEvent& e) override {
    std::printf("\n calculation mAP (mean average precision)...\n%s%s", format_map_report(e.result, names_).c_str(),
                format_map_points_hint().c_str());
    std::printf("\n mean_average_precision (mAP@%0.2f) = %f \n", static_cast<double>(e.result.iou_thresh), e.result.map);
    if (e.is_best) std::printf("New best mAP!\n");
    std::fflush(stdout);
  }

  void sample(const SampleEvent&) override {}

  void checkpoint(const CheckpointEvent& e) override {
    if (e.kind != "state") std::fprintf(stderr, "Saving weights to %s\n", e.path.c_str());
  }

  void done(const DoneEvent& e) override {
    if (e.reason == "stopped") {
      std::printf("Stopped on request after %lld iterations; go on with -resume\n", static_cast<long long>(e.iteration));
    } else {
      std::printf("If you want to train from the beginning, then use flag in the end of training command: -clear \n");
    }
    std::fflush(stdout);
  }

  void log(LogLevel level, const std::string& text) override {
    const std::lock_guard<std::mutex> hold(mutex_);
    std::fprintf(stderr, "%s%s\n", level == LogLevel::warning ? "warning: " : "", text.c_str());
  }

 private:
  std::vector<std::string> names_;
  int64_t total_bbox_ = 0, rewritten_bbox_ = 0;
  std::mutex mutex_;
};

}  // namespace

std::unique_ptr<TrainListener> make_darknet_listener(const std::vector<std::string>& names) {
  return std::make_unique<DarknetListener>(names);
}

}  // namespace dk
