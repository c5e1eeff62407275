// Matching candidates with truths, precision and recall along falling probability, and the printed report.
#include "train/mean_average_precision.h"

#include <algorithm>
#include <cmath>

#include "core/status.h"

namespace dk {

namespace {

double share(double part, double whole) { return whole > 0 ? part / whole : 0.0; }

// The best truth of a class for a box: the largest IoU above the threshold, the first of equals; -1 without one.
struct Match {
  int index = -1;
  float iou = 0;
};

Match best_match(const Box& box, int class_id, const std::vector<Truth>& truths, float iou_thresh) {
  Match best;
  for (size_t t = 0; t < truths.size(); ++t) {
    if (truths[t].class_id != class_id) continue;
    const float iou = box_iou(box, truths[t].box);
    if (iou > iou_thresh && iou > best.iou) best = Match{static_cast<int>(t), iou};
  }
  return best;
}

}  // namespace

MapAccumulator::MapAccumulator(int classes, float iou_thresh, float conf_thresh)
    : iou_thresh_(iou_thresh), conf_thresh_(conf_thresh) {
  if (classes < 1) bad_input("mAP: classes=%d, expected 1 or more", classes);
  if (!(iou_thresh >= 0 && iou_thresh < 1)) bad_input("mAP: IoU threshold %g, expected 0 to below 1", iou_thresh);
  classes_.resize(static_cast<size_t>(classes));
}

void MapAccumulator::validate(const std::vector<Truth>& truths, const std::string& where) const {
  const std::string prefix = where.empty() ? "" : where + ": ";
  for (const Truth& truth : truths) {
    if (truth.class_id < 0 || truth.class_id >= static_cast<int>(classes_.size())) {
      bad_input("%sclass %d, expected 0 to %d", prefix.c_str(), truth.class_id, static_cast<int>(classes_.size()) - 1);
    }
  }
}

void MapAccumulator::add_image(const Detections& detections, const std::vector<Truth>& truths,
                               const std::vector<Truth>& difficult, const std::string& where) {
  if (detections.classes != static_cast<int>(classes_.size())) {
    fail(Status::internal, "mAP: detections of %d classes given to a run of %d", detections.classes,
         static_cast<int>(classes_.size()));
  }
  validate(truths, where);
  validate(difficult, where);
  std::vector<int64_t> number(truths.size());  // of the truth within its class
  for (size_t t = 0; t < truths.size(); ++t) number[t] = classes_[static_cast<size_t>(truths[t].class_id)].truths++;
  std::vector<bool> seen(truths.size(), false);  // matched by an earlier candidate of this image, of whatever probability
  for (size_t i = 0; i < detections.size(); ++i) {
    for (int c = 0; c < detections.classes; ++c) {
      const float prob = detections.row(i)[c];
      if (!(prob > 0)) continue;
      const Match match = best_match(detections.boxes[i], c, truths, iou_thresh_);
      if (match.index < 0 && best_match(detections.boxes[i], c, difficult, iou_thresh_).index >= 0) continue;
      PerClass& of = classes_[static_cast<size_t>(c)];
      of.candidates.push_back(Candidate{prob, match.index < 0 ? -1 : number[static_cast<size_t>(match.index)]});
      const bool first = match.index >= 0 && !seen[static_cast<size_t>(match.index)];
      if (match.index >= 0) seen[static_cast<size_t>(match.index)] = true;
      if (prob > conf_thresh_) {
        of.tp += first ? 1 : 0;
        of.fp += first ? 0 : 1;
        of.iou_sum += first ? match.iou : 0.0;
      }
    }
  }
}

// Walks the candidates by falling probability; equal ones stay in the order they were added.
double MapAccumulator::average_precision(const PerClass& of, int points) const {
  if (of.truths == 0 || of.candidates.empty()) return 0;
  std::vector<Candidate> ranked = of.candidates;
  std::stable_sort(ranked.begin(), ranked.end(), [](const Candidate& a, const Candidate& b) { return a.prob > b.prob; });
  std::vector<bool> found(static_cast<size_t>(of.truths), false);
  std::vector<double> precision(ranked.size()), recall(ranked.size());
  int64_t tp = 0;
  for (size_t rank = 0; rank < ranked.size(); ++rank) {
    const int64_t truth = ranked[rank].truth;
    if (truth >= 0 && !found[static_cast<size_t>(truth)]) {
      found[static_cast<size_t>(truth)] = true;
      ++tp;
    }
    precision[rank] = static_cast<double>(tp) / static_cast<double>(rank + 1);
    recall[rank] = static_cast<double>(tp) / static_cast<double>(of.truths);
  }
  for (size_t rank = ranked.size() - 1; rank > 0; --rank) precision[rank - 1] = std::max(precision[rank - 1], precision[rank]);
  double sum = 0;
  if (points == 0) {
    for (size_t rank = 0; rank < ranked.size(); ++rank) sum += (recall[rank] - (rank ? recall[rank - 1] : 0.0)) * precision[rank];
    return sum;
  }
  for (int k = 0; k < points; ++k) {
    const double level = points > 1 ? static_cast<double>(k) / (points - 1) : 0.0;
    const size_t rank = static_cast<size_t>(std::lower_bound(recall.begin(), recall.end(), level) - recall.begin());
    if (rank < ranked.size()) sum += precision[rank];
  }
  return sum / points;
}

MapResult MapAccumulator::result(int points) const {
  if (points < 0) bad_input("mAP: points=%d, expected 0, 11 or 101", points);
  MapResult r;
  r.points = points;
  r.iou_thresh = iou_thresh_;
  r.conf_thresh = conf_thresh_;
  double iou_sum = 0, ap_sum = 0;
  for (const PerClass& of : classes_) {
    ClassMap c;
    c.ap = average_precision(of, points);
    c.truths = of.truths;
    c.detections = static_cast<int64_t>(of.candidates.size());
    c.tp = of.tp;
    c.fp = of.fp;
    c.avg_iou = share(of.iou_sum, static_cast<double>(of.tp + of.fp));
    r.classes.push_back(c);
    r.detections_count += c.detections;
    r.unique_truth_count += c.truths;
    r.tp += c.tp;
    r.fp += c.fp;
    iou_sum += of.iou_sum;
    ap_sum += c.ap;
  }
  r.fn = r.unique_truth_count - r.tp;
  r.map = ap_sum / static_cast<double>(classes_.size());
  r.precision = share(static_cast<double>(r.tp), static_cast<double>(r.tp + r.fp));
  r.recall = share(static_cast<double>(r.tp), static_cast<double>(r.tp + r.fn));
  r.f1 = share(2 * r.precision * r.recall, r.precision + r.recall);
  r.avg_iou = share(iou_sum, static_cast<double>(r.tp + r.fp));
  return r;
}

std::string format_map_report(const MapResult& r, const std::vector<std::string>& names) {
  const auto number = [](int64_t value) { return static_cast<long long>(value); };
  std::string text =
      strf("\n detections_count = %lld, unique_truth_count = %lld  \n", number(r.detections_count), number(r.unique_truth_count));
  for (size_t c = 0; c < r.classes.size(); ++c) {
    const std::string name = c < names.size() ? names[c] : std::to_string(c);
    text += strf("class_id = %zu, name = %s, ap = %2.2f%%   \t (TP = %lld, FP = %lld) \n", c, name.c_str(), r.classes[c].ap * 100,
                 number(r.classes[c].tp), number(r.classes[c].fp));
  }
  text += strf("\n for conf_thresh = %1.2f, precision = %1.2f, recall = %1.2f, F1-score = %1.2f \n", r.conf_thresh, r.precision,
               r.recall, r.f1);
  text += strf(" for conf_thresh = %0.2f, TP = %lld, FP = %lld, FN = %lld, average IoU = %2.2f %% \n", r.conf_thresh,
               number(r.tp), number(r.fp), number(r.fn), r.avg_iou * 100);
  text += strf("\n IoU threshold = %2.0f %%, ", r.iou_thresh * 100);
  text += r.points ? strf("used %d Recall-points \n", r.points) : std::string("used Area-Under-Curve for each unique Recall \n");
  text += strf(" mean average precision (mAP@%0.2f) = %f, or %2.2f %% \n", r.iou_thresh, r.map, r.map * 100);
  return text;
}

std::string format_map_points_hint() {
  return "\nSet -points flag:\n"
         " `-points 101` for MS COCO \n"
         " `-points 11` for PascalVOC 2007 (uncomment `difficult` in voc.data) \n"
         " `-points 0` (AUC) for ImageNet, PascalVOC 2010-2012, your custom dataset\n";
}

}  // namespace dk
