// Opening a data set (see dataset.h).
#include "data/dataset.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "core/status.h"
#include "data/text_file.h"

namespace dk {
namespace {

std::vector<Labels> read_all(const std::vector<std::string>& list, int classes, int threads) {
  std::vector<Labels> all(list.size());
  std::atomic<size_t> next{0};
  constexpr size_t kChunk = 64;
  const auto work = [&] {
    for (size_t begin; (begin = next.fetch_add(kChunk)) < list.size();) {
      const size_t end = std::min(begin + kChunk, list.size());
      for (size_t i = begin; i < end; ++i) all[i] = read_labels(label_path_for(list[i]), classes);
    }
  };
  const size_t helpers = list.size() > 4 * kChunk ? static_cast<size_t>(std::max(0, threads - 1)) : 0;
  std::vector<std::thread> pool;
  for (size_t i = 0; i < helpers; ++i) pool.emplace_back(work);
  work();
  for (std::thread& thread : pool) thread.join();
  return all;
}

void note(DatasetReport& report, LabelIssue issue) {
  if (report.issues.size() < kMostReportedIssues) report.issues.push_back(std::move(issue));
}

// Counts one image; says whether it is used.
bool take_image(DatasetReport& report, const std::string& image, const Labels& labels, MissingLabels policy) {
  report.bad_lines += labels.bad_lines;
  for (const LabelIssue& issue : labels.issues) note(report, issue);
  const bool unusable = labels.boxes.empty() && labels.bad_lines > 0;
  if (labels.missing) {
    ++report.missing;
    const char* const fate =
        policy == MissingLabels::exclude ? "the image is left out" : "the image counts as one without objects";
    note(report, {label_path_for(image), 0, strf("no such label file; %s: %s", fate, shown(image).c_str())});
    if (policy == MissingLabels::exclude) return false;
  }
  if (unusable) {
    ++report.unusable;
    return false;
  }
  ++report.used;
  report.boxes += static_cast<int64_t>(labels.boxes.size());
  if (labels.boxes.empty()) ++report.negatives;
  return true;
}

}  // namespace

std::string DatasetReport::summary(int examples) const {
  std::string text = strf("%lld images listed, %lld used (%lld without objects), %lld boxes", (long long)listed, (long long)used,
                          (long long)negatives, (long long)boxes);
  if (missing > 0) text += strf("\n%lld images have no label file", (long long)missing);
  if (unusable > 0) text += strf("\n%lld images left out: no usable line in their label file", (long long)unusable);
  if (bad_lines > 0) text += strf("\n%lld bad label lines left out", (long long)bad_lines);
  const size_t most = std::min(issues.size(), static_cast<size_t>(std::max(0, examples)));
  for (size_t i = 0; i < most; ++i) {
    const LabelIssue& issue = issues[i];
    const std::string place = issue.line > 0 ? strf(":%d", issue.line) : "";
    text += "\n  " + shown(issue.file) + place + ": " + issue.reason;
  }
  if (most > 0 && issues.size() > most) text += strf("\n  and %zu more", issues.size() - most);
  return text;
}

Dataset open_dataset(const std::vector<std::string>& list, int classes, MissingLabels missing, int threads) {
  DK_ASSERT(classes >= 1);
  Dataset data;
  data.classes = classes;
  data.report.listed = static_cast<int64_t>(list.size());
  std::vector<Labels> all = read_all(list, classes, threads);
  for (size_t i = 0; i < list.size(); ++i) {
    if (!take_image(data.report, list[i], all[i], missing)) continue;
    data.images.push_back(list[i]);
    data.labels.push_back(std::move(all[i]));
  }
  if (data.images.empty()) bad_input("no image of the list can be used for training\n%s", data.report.summary().c_str());
  return data;
}

}  // namespace dk
