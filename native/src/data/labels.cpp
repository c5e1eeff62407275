// Label paths and label lines (see labels.h).
#include "data/labels.h"

#include <array>
#include <charconv>
#include <cmath>

#include "core/files.h"
#include "core/status.h"
#include "data/text_file.h"

namespace dk {
namespace {

// Above this a number is no share of the image any more, but pixels.
constexpr float kLargestShare = 2.0f;

void replace_first(std::string& text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  if (at != std::string::npos) text.replace(at, from.size(), to);
}

template <typename T>
bool parse_whole(std::string_view word, T& number) {
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  return error == std::errc() && end == word.data() + word.size();
}

std::vector<std::string_view> split_words(std::string_view line, size_t most) {
  std::vector<std::string_view> words;
  size_t at = 0;
  while (words.size() < most && (at = line.find_first_not_of(" \t\r\v\f", at)) != std::string_view::npos) {
    const size_t end = std::min(line.find_first_of(" \t\r\v\f", at), line.size());
    words.push_back(line.substr(at, end - at));
    at = end;
  }
  return words;
}

std::string class_reason(std::string_view word, int classes, LabelBox& box) {
  int64_t id = 0;
  if (!parse_whole(word, id)) return strf("class '%s' is not a whole number", shown(word, 40).c_str());
  if (id < 0) return strf("class %lld is negative", static_cast<long long>(id));
  if (id >= classes) return strf("class %lld: the network has classes 0 to %d", static_cast<long long>(id), classes - 1);
  box.class_id = static_cast<int>(id);
  return "";
}

// Why the box can't be trained with, or "".
std::string box_reason(const LabelBox& box) {
  const std::array<float, 4> all{box.x, box.y, box.w, box.h};
  for (const float number : all) {
    if (!std::isfinite(number)) return "a number is not finite";
  }
  if (box.w <= 0 || box.h <= 0) return "width and height must be above 0";
  for (const float number : all) {
    if (std::fabs(number) > kLargestShare) return "numbers are shares of the image, 0 to 1 (these look like pixels)";
  }
  const bool outside = box.x + box.w / 2 <= 0 || box.x - box.w / 2 >= 1 || box.y + box.h / 2 <= 0 || box.y - box.h / 2 >= 1;
  if (outside) return "the box lies outside the image";
  // Upstream drops these (darknet.md 1.4.2, rule 1): the mark of labelling tools for "no box".
  if (box.x == 0 && box.y == 0) return "the centre is 0, 0";
  return "";
}

std::string line_reason(std::string_view line, int classes, LabelBox& box) {
  const std::vector<std::string_view> words = split_words(line, 6);
  if (words.size() != 5) {
    return strf("expected 5 values (class cx cy w h), found %s%zu", words.size() > 5 ? "more: at least " : "", words.size());
  }
  if (std::string reason = class_reason(words[0], classes, box); !reason.empty()) return reason;
  float* const members[4] = {&box.x, &box.y, &box.w, &box.h};
  for (int i = 0; i < 4; ++i) {
    const std::string_view word = words[static_cast<size_t>(i + 1)];
    if (parse_whole(word, *members[i])) continue;
    const bool comma = word.find(',') != std::string_view::npos;
    return strf("'%s' is not a number%s", shown(word, 40).c_str(), comma ? " (decimal point, not comma)" : "");
  }
  return box_reason(box);
}

void add_issue(Labels& labels, const std::string& path, int line, std::string reason) {
  ++labels.bad_lines;
  if (static_cast<int>(labels.issues.size()) < kMostIssuesPerFile) labels.issues.push_back({path, line, std::move(reason)});
}

}  // namespace

std::string label_path_for(const std::string& image_path) {
  std::string path = image_path;
  // darknet.md 1.4.1: in this order, each at its first place only.
  replace_first(path, "/images/train2017/", "/labels/train2017/");
  replace_first(path, "/images/val2017/", "/labels/val2017/");
  replace_first(path, "/JPEGImages/", "/labels/");
  replace_first(path, "\\images\\train2017\\", "\\labels\\train2017\\");
  replace_first(path, "\\images\\val2017\\", "\\labels\\val2017\\");
  replace_first(path, "\\images\\train2014\\", "\\labels\\train2014\\");
  replace_first(path, "\\images\\val2014\\", "\\labels\\val2014\\");
  replace_first(path, "/images/train2014/", "/labels/train2014/");
  replace_first(path, "/images/val2014/", "/labels/val2014/");
  replace_first(path, "\\JPEGImages\\", "\\labels\\");
  path = std::string(trim(path));
  const size_t slash = path.find_last_of("/\\");
  const size_t dot = path.rfind('.');
  const bool has_extension = dot != std::string::npos && (slash == std::string::npos || dot > slash);
  std::string label = (has_extension ? path.substr(0, dot) : path) + ".txt";
  if (label == image_path) label += ".txt";  // an "image" called x.txt must not be its own label
  return label;
}

Labels parse_labels(std::string_view text, const std::string& path, int classes) {
  Labels labels;
  const std::vector<std::string_view> lines = split_lines(text);
  if (lines.size() > kMostLabelLines) {
    add_issue(labels, path, 0, strf("%zu lines; at most %zu", lines.size(), kMostLabelLines));
    return labels;
  }
  for (size_t i = 0; i < lines.size(); ++i) {
    if (trim(lines[i]).empty()) continue;
    LabelBox box;
    std::string reason = line_reason(lines[i], classes, box);
    if (reason.empty()) {
      labels.boxes.push_back(box);
    } else {
      add_issue(labels, path, static_cast<int>(i + 1), std::move(reason));
    }
  }
  return labels;
}

Labels read_labels(const std::string& path, int classes) {
  if (!file_exists(path)) {
    Labels labels;
    labels.missing = true;
    return labels;
  }
  try {
    return parse_labels(read_text_file(path, kMostLabelBytes), path, classes);
  } catch (const Error& error) {
    // The message begins with the path, which the issue names already.
    const std::string message = error.what();
    const size_t colon = message.find(": ");
    Labels labels;
    add_issue(labels, path, 0, colon == std::string::npos ? message : message.substr(colon + 2));
    return labels;
  }
}

}  // namespace dk
