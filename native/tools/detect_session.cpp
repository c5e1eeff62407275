#include "detect_session.h"

#include <cstdio>

#include "backend/precision.h"
#include "backend/registry.h"
#include "core/status.h"
#include "data/image_list.h"
#include "data/names_file.h"
#include "model/weights_file.h"

namespace dk {

std::string DetectSession::name(int class_id) const {
  const size_t i = static_cast<size_t>(class_id);
  return i < names.size() ? names[i] : std::to_string(class_id);
}

Dataset DetectSession::valid_set() const {
  const std::string list = data.valid.empty() ? data.train : data.valid;
  if (list.empty()) bad_input("%s: neither valid= nor train= is given", data.path.c_str());
  const std::string path = resolve_path(list, data.path);
  Dataset set = open_dataset(read_image_list(path), def.classes(), MissingLabels::negative);
  const DatasetReport& report = set.report;
  if (report.missing + report.unusable + report.bad_lines > 0)
    std::fprintf(stderr, "warning: %s: %s\n", path.c_str(), report.summary().c_str());
  return set;
}

void DetectSession::detect_files(const std::vector<std::string>& paths, const DetectOptions& options,
                                 const std::function<void(FileDetections&&)>& take) {
  dk::detect_files(*detector, paths, options, [&](FileDetections&& file) {
    if (!file.error) {
      take(std::move(file));
      return true;
    }
    try {
      std::rethrow_exception(file.error);
    } catch (const Error& e) {
      if (e.status() != Status::bad_input) throw;
      warn_unreadable(e.what());
    }
    return true;
  });
}

void DetectSession::warn_unreadable(const std::string& reason) {
  ++unreadable_;
  std::fprintf(stderr, "\nwarning: %s\n", reason.c_str());
}

void DetectSession::report_unreadable(size_t images, const char* fate) const {
  if (unreadable_ == 0) return;
  if (unreadable_ == images) bad_input("none of the %zu images can be read", images);
  std::fprintf(stderr, "warning: %zu of %zu images can't be read; %s\n", unreadable_, images, fate);
}

DetectSession open_session(Arguments& args, bool names_must_fit, bool quiet, bool single) {
  const std::string device = args.text("device", "auto");
  const int threads = static_cast<int>(args.integer("threads", 0, 1, 1024));
  const std::optional<DType> precision = parse_precision("-precision", args.text("precision", "f32"));
  const int batch = single ? 1 : static_cast<int>(args.integer("batch", 0, 1, 4096));
  DetectSession session;
  session.data = read_data_file(args.word(0, "the .data file"));
  const std::string cfg = args.word(1, "the .cfg file");
  session.def = load_network_def(cfg);
  session.weights_path = args.word(2, "the .weights file");
  for (const std::string& warning : session.data.warnings) std::fprintf(stderr, "warning: %s\n", warning.c_str());
  for (const std::string& warning : session.def.warnings) std::fprintf(stderr, "warning: %s\n", warning.c_str());
  if (!session.data.names.empty()) session.names = read_names(resolve_path(session.data.names, session.data.path));
  if (static_cast<int>(session.names.size()) != session.def.classes()) {
    const std::string text = strf("%s has %zu names, %s has classes=%d",
                                  session.data.names.empty() ? session.data.path.c_str() : session.data.names.c_str(),
                                  session.names.size(), cfg.c_str(), session.def.classes());
    if (names_must_fit && !session.data.names.empty()) bad_input("%s", text.c_str());
    std::fprintf(stderr, "warning: %s\n", text.c_str());
  }
  WeightsFile weights = read_weights(session.def, session.weights_path, uint64_t{1});
  if (weights.partial) {
    bad_input("%s holds only the first %d of %zu layers: start weights for training, not a finished model",
              session.weights_path.c_str(), weights.layers_loaded, session.def.layers.size());
  }
  std::fprintf(stderr, "Loading weights from %s...Done! Loaded %d layers from weights-file \n", session.weights_path.c_str(),
               weights.layers_loaded);
  session.backend = make_backend(device, threads);
  session.detector = std::make_unique<Detector>(session.def, *session.backend, batch > 0 ? batch : useful_batch(*session.backend),
                                                choose_dtype(precision, *session.backend));
  session.detector->set_weights(std::move(weights.weights));
  for (const LayerDef* yolo : session.def.yolos()) {
    if (!quiet) std::printf(" Detection layer: %d - type = 28 \n", yolo->index);
  }
  return session;
}

}  // namespace dk
