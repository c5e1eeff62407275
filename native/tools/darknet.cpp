// The program `darknet`: picks the command, and turns errors into a message and an exit code (docs/protocol.md).
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <string>

#include "arguments.h"
#include "commands.h"
#include "core/status.h"
#include "listeners.h"

namespace {

const char kHelp[] =
    "usage: darknet COMMAND ...\n"
    "  detector train DATA CFG [WEIGHTS]   train; writes weights into the folder `backup` of DATA\n"
    "      -map  -mAP_epochs N  -clear  -resume  -steps N  -subdivisions auto|N  -memory MB  -json  -run-dir DIR  -stop-file "
    "FILE\n"
    "      -device auto|cpu  -threads N  -precision auto|f32|bf16|f16  -seed N  -deterministic  -iou_thresh F  -thresh F\n"
    "      -points N  -dont_show\n"
    "      -samples N  -sample-list FILE  -sample-every N   pictures to look at after evaluations and every N steps\n"
    "  detector test DATA CFG WEIGHTS [IMAGE]   find objects; without IMAGE, paths are read from stdin\n"
    "      -thresh F  -ext_output  -out FILE.json  -save_labels  -letter_box  -dont_show\n"
    "  detector map DATA CFG WEIGHTS       mean average precision over the images of `valid`\n"
    "      -iou_thresh F  -points 0|11|101  -thresh F  -batch N  -json\n"
    "  detector valid DATA CFG WEIGHTS     detections of all `valid` images into the folder `results`   -out NAME\n"
    "  detector recall DATA CFG WEIGHTS    recall of the boxes of `valid`\n"
    "  detector calc_anchors DATA -num_of_clusters N -width W -height H\n"
    "  partial CFG WEIGHTS OUT N           the first N layers of a weights file\n"
    "  inspect CFG [WEIGHTS]               layers, shapes, parameters, memory; what a weights file holds   -json\n"
    "  devices                             what can be trained on   -json\n"
    "  bench step|layers|detect|memory CFG [WEIGHTS]   time of a training step, of each layer in it, or of a detection; memory "
    "of a step\n"
    "      -batch N  -steps N  -size N  -precision auto|f32|bf16|f16  -device auto|cpu  -siblings auto|merged|apart\n"
    "      -image FILE  -json\n"
    "  version | help\n";

int detector(dk::Arguments& args, const std::string& verb) {
  if (verb == "train") return dk::command_train(args);
  if (verb == "test") return dk::command_test(args);
  if (verb == "map") return dk::command_map(args);
  if (verb == "valid") return dk::command_valid(args);
  if (verb == "recall") return dk::command_recall(args);
  if (verb == "calc_anchors" || verb == "calcanchors") return dk::command_calc_anchors(args);
  dk::bad_input("detector %s is not known; known: train, test, map, valid, recall, calc_anchors", verb.c_str());
}

int run(int argc, char** argv) {
  const std::string command = argc > 1 ? argv[1] : "help";
  if (command == "detector") {
    if (argc < 3) dk::bad_input("detector needs a verb: train, test, map, valid, recall, calc_anchors");
    dk::Arguments args(argc - 2, argv + 2);
    return detector(args, argv[2]);
  }
  dk::Arguments args(argc - 1, argv + 1);
  if (command == "partial") return dk::command_partial(args);
  if (command == "inspect") return dk::command_inspect(args);
  if (command == "devices") return dk::command_devices(args);
  if (command == "bench") return dk::command_bench(args);
  if (command == "version" || command == "-version" || command == "--version") {
    std::printf("darknet (Darknet Studio) %s\n", DK_VERSION);
    return 0;
  }
  if (command == "help" || command == "-h" || command == "-help" || command == "--help") {
    std::fputs(kHelp, stdout);
    return 0;
  }
  dk::bad_input("command '%s' is not known; `darknet help` lists the commands", command.c_str());
}

bool wants_json(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "-json") == 0 || std::strcmp(argv[i], "--json") == 0) return true;
  }
  return false;
}

int report(int code, const char* text, bool json) {
  if (json) dk::print_json_error(code, text);
  std::fprintf(stderr, "error: %s\n", text);
  return code;
}

// OpenMP's threads wait by spinning for milliseconds unless told otherwise, which stalls a machine that does anything else
// besides. libgomp reads this when it is loaded, so the program starts itself once more with the setting.
void wait_politely(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  setenv("GOMP_SPINCOUNT", "20000", 0);
  execv("/proc/self/exe", argv);  // on failure it simply goes on with spinning
}

}  // namespace

int main(int argc, char** argv) {
  wait_politely(argv);
  const bool json = wants_json(argc, argv);
  try {
    return run(argc, argv);
  } catch (const dk::Error& e) { return report(static_cast<int>(e.status()), e.what(), json); } catch (const std::bad_alloc&) {
    return report(static_cast<int>(dk::Status::memory),
                  "out of memory; smaller mini-batches (subdivisions) or a smaller input need less", json);
  } catch (const std::exception& e) { return report(static_cast<int>(dk::Status::internal), e.what(), json); }
}
