// `partial`, `inspect`, `devices`: what needs no images.
#include <charconv>
#include <cstdio>

#include "backend/registry.h"
#include "commands.h"
#include "core/json_writer.h"
#include "core/status.h"
#include "model/inspect.h"
#include "model/network.h"
#include "model/weights_file.h"

namespace dk {

int command_partial(Arguments& args) {
  const std::string cfg = args.word(0, "the .cfg file"), weights = args.word(1, "the .weights file"),
                    out = args.word(2, "the output file");
  const NetworkDef def = load_network_def(cfg);
  int cutoff = 0;
  const std::string number = args.word(3, "the number of layers");
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), cutoff);
  if (error != std::errc() || *end != '\0' || cutoff < 1 || cutoff > static_cast<int>(def.layers.size())) {
    bad_input("'%s': expected a number of layers from 1 to %zu", number.c_str(), def.layers.size());
  }
  const WeightsFile file = read_weights(def, weights, uint64_t{1}, cutoff);
  write_weights(def, out, file.weights, 0, cutoff);
  std::fprintf(stderr, "Saving weights to %s\n", out.c_str());
  return 0;
}

int command_inspect(Arguments& args) {
  const bool json = args.flag("json");
  const std::string cfg = args.word(0, "the .cfg file"), weights = args.word_or(1, "");
  if (json) {
    std::printf("%s\n", inspect_json(cfg, weights).c_str());
    return 0;
  }
  const NetworkDef def = load_network_def(cfg);
  for (const std::string& warning : def.warnings) std::fprintf(stderr, "warning: %s\n", warning.c_str());
  std::fputs(format_layer_table(def).c_str(), stdout);
  const NetworkNeeds needs = network_needs(def);
  const long long params = static_cast<long long>(network_param_count(def));
  std::printf("parameters %lld, weights file %lld bytes, classes %d\n", params, 20 + 4 * params, def.classes());
  std::printf("memory of the network at %dx%d: detection %.0f MB, training %.0f MB (mini-batch 1), %.0f MB (mini-batch %d)\n",
              def.net.width, def.net.height, static_cast<double>(needs.detect) / 1e6, static_cast<double>(needs.train_one) / 1e6,
              static_cast<double>(needs.train_mini_batch) / 1e6, def.net.mini_batch());
  if (!weights.empty()) std::fputs(describe_weights(def, weights).c_str(), stdout);
  return 0;
}

int command_devices(Arguments& args) {
  const bool json = args.flag("json");
  args.words();
  const std::vector<DeviceInfo> devices = list_devices();
  if (!json) {
    for (const DeviceInfo& d : devices) {
      const std::string total = strf("%.1f GB", static_cast<double>(d.memory_bytes) / 1e9);
      const std::string memory =
          d.free_bytes < 0 ? total : strf("%.1f GB of %s free", static_cast<double>(d.free_bytes) / 1e9, total.c_str());
      const std::string state = d.usable ? memory : "not usable: " + d.reason;
      std::printf("%-8s %s, %s\n", d.id.c_str(), d.description.c_str(), state.c_str());
    }
    return 0;
  }
  std::printf("%s\n", devices_json().c_str());
  return 0;
}

}  // namespace dk
