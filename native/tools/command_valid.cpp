// `detector valid` (darknet.md 6.5): every detection of the `valid` images into files that VOC's and COCO's own evaluation
// programs read.
#include <algorithm>
#include <cstdio>
#include <set>

#include "commands.h"
#include "core/files.h"
#include "core/json_writer.h"
#include "core/status.h"
#include "detect_session.h"

namespace dk {
namespace {

constexpr float kThreshold = 0.001f, kNms = 0.6f;

std::string stem_of(const std::string& path) {
  std::string name = path.substr(path.rfind('/') + 1);
  const size_t dot = name.rfind('.');
  if (dot != std::string::npos && dot > 0) name.resize(dot);
  return name;
}

// COCO numbers its 80 categories with gaps; other sets count from 1.
int coco_category(int class_id, int classes) {
  static const int missing[] = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83};
  int id = class_id + 1;
  if (classes != 80) return id;
  for (int gap : missing) id += id >= gap ? 1 : 0;
  return id;
}

// A class's name as a part of a file's name: a name like person/rider must lead into no other folder, and a long one be short.
std::string file_part(std::string name) {
  constexpr size_t kLongest = 200;
  std::replace(name.begin(), name.end(), '/', '_');
  return name.substr(0, kLongest);
}

struct PixelEdges {
  float left, top, right, bottom;  // clipped to the image
};

PixelEdges edges_of(const Box& b, int w, int h) {
  const float fw = static_cast<float>(w), fh = static_cast<float>(h);
  return {std::max(0.0f, (b.x - b.w / 2) * fw), std::max(0.0f, (b.y - b.h / 2) * fh), std::min(fw, (b.x + b.w / 2) * fw),
          std::min(fh, (b.y + b.h / 2) * fh)};
}

// COCO's image ids: the number at the end of each file's name, as in COCO's own files, where all names have one and no two
// the same; else the places in the list, from 1.
std::vector<int64_t> coco_image_ids(const std::vector<std::string>& images) {
  std::vector<int64_t> numbers, places;
  for (const std::string& image : images) {
    places.push_back(static_cast<int64_t>(places.size()) + 1);
    const std::string stem = stem_of(image);
    const std::string tail = stem.substr(stem.find_last_not_of("0123456789") + 1);
    if (!tail.empty() && tail.size() <= 15) numbers.push_back(std::stoll(tail));
  }
  const std::set<int64_t> distinct(numbers.begin(), numbers.end());
  return distinct.size() == images.size() ? numbers : places;
}

class Writer {
 public:
  Writer(const DetectSession& session, const Dataset& set, bool coco)
      : session_(session), coco_(coco), ids_(coco_image_ids(set.images)), voc_(static_cast<size_t>(session.def.classes())) {
    json_.begin_array();
  }

  void add(const std::string& path, const FileDetections& file) {
    const Detections& detections = file.found;
    const std::string id = stem_of(path);
    for (size_t i = 0; i < detections.size(); ++i) {
      const PixelEdges e = edges_of(detections.boxes[i], file.w, file.h);
      for (int c = 0; c < detections.classes; ++c) {
        const float probability = detections.row(i)[c];
        if (probability <= 0) continue;
        if (coco_) {
          add_coco(ids_[file.index], e, c, probability);
        } else {
          voc_[static_cast<size_t>(c)] +=
              strf("%s %f %f %f %f %f\n", id.c_str(), static_cast<double>(probability), static_cast<double>(e.left + 1),
                   static_cast<double>(e.top + 1), static_cast<double>(e.right), static_cast<double>(e.bottom));
        }
      }
    }
  }

  void finish(const std::string& folder, const std::string& out) {
    make_folders(folder);
    if (coco_) {
      json_.end_array();
      write_file_atomically(join_path(folder, (out.empty() ? "coco_results" : out) + ".json"), json_.text());
      return;
    }
    std::set<std::string> taken;
    for (size_t c = 0; c < voc_.size(); ++c) {
      const std::string prefix = out.empty() ? "comp4_det_test_" : out;
      std::string name = file_part(session_.name(static_cast<int>(c)));
      if (!taken.insert(name).second) name += "." + std::to_string(c);
      write_file_atomically(join_path(folder, prefix + name + ".txt"), voc_[c]);
    }
  }

 private:
  void add_coco(int64_t image_id, const PixelEdges& e, int class_id, float probability) {
    json_.begin_object().field("image_id", image_id).field("category_id", coco_category(class_id, session_.def.classes()));
    json_.key("bbox").begin_array().value(static_cast<double>(e.left)).value(static_cast<double>(e.top));
    json_.value(static_cast<double>(e.right - e.left)).value(static_cast<double>(e.bottom - e.top)).end_array();
    json_.field("score", static_cast<double>(probability)).end_object();
  }

  const DetectSession& session_;
  const bool coco_;
  const std::vector<int64_t> ids_;
  std::vector<std::string> voc_;
  JsonWriter json_;
};

}  // namespace

int command_valid(Arguments& args) {
  const std::string out = args.text("out", "");
  args.flag("letter_box");
  DetectSession session = open_session(args, false);
  if (session.data.eval != "voc" && session.data.eval != "coco") {
    bad_input("%s: eval=%s is not supported; known: voc, coco", session.data.path.c_str(), session.data.eval.c_str());
  }
  const Dataset set = session.valid_set();
  Writer writer(session, set, session.data.eval == "coco");
  session.detect_files(set.images, {kThreshold, kNms, session.def.net.letter_box}, [&](FileDetections&& file) {
    writer.add(set.images[file.index], file);
    if ((file.index + 1) % 4 == 0) std::fprintf(stderr, "\r%zu", file.index + 1);
  });
  std::fprintf(stderr, "\n");
  session.report_unreadable(set.images.size(), "they are left out");
  const std::string folder = file_exists(session.data.results) || session.data.results[0] == '/'
                                 ? session.data.results
                                 : join_path(parent_folder(session.data.path), session.data.results);
  writer.finish(folder, out);
  std::printf("%zu images written to %s\n", set.images.size(), folder.c_str());
  return 0;
}

}  // namespace dk
