// `detector calc_anchors` (darknet.md 8.5): anchors for the boxes of `train`, into anchors.txt and counters_per_class.txt.
#include <cstdio>

#include "commands.h"
#include "core/files.h"
#include "core/status.h"
#include "data/data_file.h"
#include "data/dataset.h"
#include "data/image_list.h"
#include "model/cfg_reader.h"
#include "train/anchors.h"

namespace dk {

int command_calc_anchors(Arguments& args) {
  const int clusters = static_cast<int>(args.integer("num_of_clusters", 5, 1, 1000));
  const int width = static_cast<int>(args.integer("width", 0, 1, CfgLimits::side));
  const int height = static_cast<int>(args.integer("height", 0, 1, CfgLimits::side));
  const uint64_t seed = static_cast<uint64_t>(args.integer("seed", 1, 0, INT64_MAX));
  args.flag("show");
  args.flag("dont_show");
  if (width == 0 || height == 0) bad_input("-width and -height of the network are needed, e.g. -width 416 -height 416");
  const DataFile data = read_data_file(args.word(0, "the .data file"));
  if (data.train.empty()) bad_input("%s: train= is not given", data.path.c_str());
  const std::string list = resolve_path(data.train, data.path);
  const int classes = data.classes > 0 ? data.classes : CfgLimits::classes;
  const Dataset set = open_dataset(read_image_list(list), classes, MissingLabels::exclude);
  std::fprintf(stderr, "%s: %s\n", list.c_str(), set.report.summary().c_str());
  std::vector<BoxSize> sizes;
  std::vector<int> ids;
  for (const Labels& labels : set.labels) {
    for (const LabelBox& box : labels.boxes) {
      sizes.push_back({box.w * static_cast<float>(width), box.h * static_cast<float>(height)});
      ids.push_back(box.class_id);
    }
  }
  std::printf(" num_of_clusters = %d, width = %d, height = %d \n read labels from %zu images \n loaded %zu boxes \n", clusters,
              width, height, set.images.size(), sizes.size());
  const AnchorResult result = calc_anchors(sizes, clusters, seed);
  std::printf(" avg IoU = %2.2f %%\n", 100 * result.avg_iou);
  const std::string anchors = format_anchors(result.anchors, width);
  int most = 0;
  for (int id : ids) most = std::max(most, id + 1);
  const std::string counters = format_counters_per_class(count_per_class(ids, data.classes > 0 ? data.classes : most));
  write_file_atomically("anchors.txt", anchors);
  write_file_atomically("counters_per_class.txt", counters);
  std::printf("\nSaving anchors to the file: anchors.txt \nanchors = %s\n%s\n", anchors.c_str(), counters.c_str());
  return 0;
}

}  // namespace dk
