// Training events as JSON lines on stdout: docs/protocol.md says what each field means. Log lines that come before `hello`
// wait for it, so that it is always the first line.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <mutex>

#include "core/json_writer.h"
#include "listeners.h"

namespace dk {
namespace {

std::string name_of(const std::vector<std::string>& names, int class_id) {
  const size_t i = static_cast<size_t>(class_id);
  return i < names.size() ? names[i] : std::to_string(class_id);
}

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

JsonWriter event(const char* name) {
  JsonWriter json;
  char time[40];
  std::snprintf(time, sizeof time, "%.3f", now());
  json.begin_object().field("event", name);
  json.key("time").number_text(time);
  return json;
}

void print_line(JsonWriter& json) {
  json.end_object();
  std::string line = json.text() + "\n";
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fflush(stdout);
}

class JsonListener : public TrainListener {
 public:
  explicit JsonListener(const std::vector<std::string>& names) : names_(names) {}

  void hello(const HelloEvent& e) override {
    JsonWriter json = event("hello");
    json.field("protocol", 1)
        .field("program", "darknet")
        .field("version", DK_VERSION)
        .field("pid", static_cast<int64_t>(getpid()));
    json.field("device", e.device)
        .field("precision", e.precision)
        .field("threads", e.threads)
        .field("processes", e.processes)
        .field("seed", e.seed);
    json.key("net").begin_object().field("width", e.width).field("height", e.height).field("batch", e.batch);
    json.field("subdivisions", e.subdivisions).field("classes", e.classes).end_object();
    json.field("max_batches", e.max_batches).field("start_iteration", e.start_iteration);
    json.field("images_train", static_cast<int64_t>(e.images_train)).field("images_valid", static_cast<int64_t>(e.images_valid));
    json.field("memory_bytes", e.memory_bytes);
    if (e.device_memory_bytes > 0) json.field("device_memory_bytes", e.device_memory_bytes);
    const std::lock_guard<std::mutex> hold(mutex_);
    print_line(json);
    said_hello_ = true;
    for (JsonWriter& line : waiting_) print_line(line);
    waiting_.clear();
  }

  void resized(int, int) override {}  // `step` carries the size
  void yolo_line(const YoloLineEvent&) override {}

  void smaller(const SmallerEvent& e) override {
    JsonWriter json = event("smaller");
    json.field("iteration", e.iteration).field("mini_batch", e.mini_batch).field("subdivisions", e.subdivisions);
    json.field("reason", e.reason);
    send(json);
  }

  void step(const StepEvent& e) override {
    JsonWriter json = event("step");
    json.field("iteration", e.iteration)
        .field("loss", e.loss)
        .field("avg_loss", e.avg_loss)
        .field("rate", e.rate)
        .field("seconds", e.seconds);
    json.field("images", e.images).field("eta_seconds", e.eta_seconds).field("width", e.width).field("height", e.height);
    json.field("load_seconds", e.load_seconds);
    send(json);
  }

  void eval(const EvalEvent& e) override {
    const MapResult& r = e.result;
    JsonWriter json = event("eval");
    json.field("iteration", e.iteration)
        .field("map", r.map)
        .field("iou_thresh", static_cast<double>(r.iou_thresh))
        .field("points", r.points);
    json.field("best", e.best).field("is_best", e.is_best).field("seconds", e.seconds);
    json.key("classes").begin_array();
    for (size_t i = 0; i < r.classes.size(); ++i) {
      const ClassMap& c = r.classes[i];
      json.begin_object()
          .field("id", static_cast<int64_t>(i))
          .field("name", name_of(names_, static_cast<int>(i)))
          .field("ap", c.ap);
      json.field("tp", c.tp).field("fp", c.fp).field("truths", c.truths).end_object();
    }
    json.end_array();
    json.field("precision", r.precision).field("recall", r.recall).field("f1", r.f1).field("avg_iou", r.avg_iou);
    send(json);
  }

  void sample(const SampleEvent& e) override {
    JsonWriter json = event("sample");
    json.field("iteration", e.iteration).field("image", e.image).key("detections").begin_array();
    for (const Detection& d : e.detections) {
      json.begin_object()
          .field("class_id", d.class_id)
          .field("name", name_of(names_, d.class_id))
          .field("score", static_cast<double>(d.confidence));
      json.key("box")
          .begin_array()
          .value(static_cast<double>(d.box.x))
          .value(static_cast<double>(d.box.y))
          .value(static_cast<double>(d.box.w));
      json.value(static_cast<double>(d.box.h)).end_array().end_object();
    }
    json.end_array();
    send(json);
  }

  void checkpoint(const CheckpointEvent& e) override {
    JsonWriter json = event("checkpoint");
    json.field("iteration", e.iteration).field("path", e.path).field("kind", e.kind);
    send(json);
  }

  void done(const DoneEvent& e) override {
    JsonWriter json = event("done");
    json.field("iteration", e.iteration);
    if (e.map >= 0) json.field("map", e.map).field("best", e.best);
    json.field("seconds", e.seconds).field("weights", e.weights).field("reason", e.reason);
    if (!e.unmeasured.empty()) json.field("unmeasured", e.unmeasured);
    send(json);
  }

  void log(LogLevel level, const std::string& text) override {
    JsonWriter json = event("log");
    json.field("level", level == LogLevel::warning ? "warning" : "info").field("text", text);
    const std::lock_guard<std::mutex> hold(mutex_);
    if (said_hello_) {
      print_line(json);
    } else {
      waiting_.push_back(json);
    }
    std::fprintf(stderr, "%s%s\n", level == LogLevel::warning ? "warning: " : "", text.c_str());
  }

 private:
  void send(JsonWriter& json) {
    const std::lock_guard<std::mutex> hold(mutex_);
    print_line(json);
  }

  std::vector<std::string> names_;
  std::mutex mutex_;
  bool said_hello_ = false;
  std::vector<JsonWriter> waiting_;
};

}  // namespace

std::unique_ptr<TrainListener> make_json_listener(const std::vector<std::string>& names) {
  return std::make_unique<JsonListener>(names);
}

void print_json_error(int code, const std::string& text) {
  JsonWriter json = event("error");
  json.field("code", code).field("text", text);
  print_line(json);
}

}  // namespace dk
