// `detector map` and `detector recall` (darknet.md 6.6, 7.2).
#include <cmath>
#include <cstdio>

#include "commands.h"
#include "core/json_writer.h"
#include "core/status.h"
#include "data/image_list.h"
#include "detect_session.h"
#include "train/evaluate.h"

namespace dk {
namespace {

void print_json(const DetectSession& session, const MapResult& r) {
  JsonWriter json;
  json.begin_object().field("map", r.map).field("iou_thresh", static_cast<double>(r.iou_thresh)).field("points", r.points);
  json.field("detections", r.detections_count).field("truths", r.unique_truth_count);
  json.field("tp", r.tp)
      .field("fp", r.fp)
      .field("fn", r.fn)
      .field("precision", r.precision)
      .field("recall", r.recall)
      .field("f1", r.f1);
  json.field("avg_iou", r.avg_iou).key("classes").begin_array();
  for (size_t i = 0; i < r.classes.size(); ++i) {
    const ClassMap& c = r.classes[i];
    json.begin_object().field("id", static_cast<int64_t>(i)).field("name", session.name(static_cast<int>(i))).field("ap", c.ap);
    json.field("tp", c.tp).field("fp", c.fp).field("truths", c.truths).end_object();
  }
  json.end_array().end_object();
  std::printf("%s\n", json.text().c_str());
}

std::vector<Labels> read_difficult(const DetectSession& session, size_t images) {
  if (session.data.difficult.empty()) return {};
  const std::vector<std::string> list = read_image_list(resolve_path(session.data.difficult, session.data.path));
  if (list.size() != images)
    bad_input("%s lists %zu images, valid %zu: the two go side by side", session.data.difficult.c_str(), list.size(), images);
  std::vector<Labels> labels;
  for (const std::string& image : list) labels.push_back(read_labels(label_path_for(image), session.def.classes()));
  return labels;
}

}  // namespace

int command_map(Arguments& args) {
  EvaluateOptions options;
  options.iou_thresh = static_cast<float>(args.number("iou_thresh", 0.5));
  options.conf_thresh = static_cast<float>(args.number("thresh", 0.25));
  options.points = static_cast<int>(args.integer("points", 0, 0, 101));
  if (options.points != 0 && options.points != 11 && options.points != 101) bad_input("-points %d: 0, 11 or 101", options.points);
  const bool json = args.flag("json");
  args.flag("letter_box");  // the cfg decides, as upstream
  args.flag("dont_show");
  DetectSession session = open_session(args, true, json);
  options.letter_box = session.def.net.letter_box;
  const Dataset set = session.valid_set();
  options.difficult = read_difficult(session, set.images.size());
  options.progress = [](size_t done) {
    std::fprintf(stderr, "\r%zu", done);
    return true;
  };
  options.unreadable = [&](const std::string& text) { session.warn_unreadable(text); };
  if (!json) std::printf("\n calculation mAP (mean average precision)...\n");
  std::fflush(stdout);
  const MapResult result = evaluate(*session.detector, set, options);
  std::fprintf(stderr, "\n");
  session.report_unreadable(set.images.size(), "they count as images in which nothing was found");
  if (json) {
    print_json(session, result);
  } else {
    std::printf("%s%s", format_map_report(result, session.names).c_str(), format_map_points_hint().c_str());
  }
  return 0;
}

int command_recall(Arguments& args) {
  DetectSession session = open_session(args, false);
  const Dataset set = session.valid_set();
  constexpr float kThreshold = 0.001f, kIou = 0.5f, kNms = 0.4f;
  int64_t total = 0, correct = 0, proposals = 0;
  double iou_sum = 0;
  size_t read = 0;
  session.detect_files(set.images, {kThreshold, 0, false}, [&](FileDetections&& file) {
    ++read;
    const Detections& found = file.found;
    // By objectness alone, whatever the class: one class with the objectness as its probability.
    Detections objects(1);
    objects.boxes = found.boxes, objects.objectness = found.objectness, objects.probs = found.objectness;
    nms(NmsKind::default_nms, 0, kNms, &objects);
    for (size_t k = 0; k < objects.size(); ++k) proposals += objects.probs[k] > kThreshold ? 1 : 0;
    for (const LabelBox& label : set.labels[file.index].boxes) {
      const Box truth{label.x, label.y, label.w, label.h};
      float best = 0;
      for (size_t k = 0; k < objects.size(); ++k) {
        if (objects.probs[k] > kThreshold) best = std::max(best, box_iou(objects.boxes[k], truth));
      }
      ++total;
      iou_sum += static_cast<double>(best);
      correct += best > kIou ? 1 : 0;
    }
    const double truths = static_cast<double>(std::max<int64_t>(1, total));
    std::fprintf(stderr, "%5zu %5lld %5lld\tRPs/Img: %.2f\tIOU: %.2f%%\tRecall:%.2f%%\n", file.index, (long long)correct,
                 (long long)total, static_cast<double>(proposals) / static_cast<double>(read), 100 * iou_sum / truths,
                 100 * static_cast<double>(correct) / truths);
  });
  session.report_unreadable(set.images.size(), "they and their boxes are left out");
  return 0;
}

}  // namespace dk
