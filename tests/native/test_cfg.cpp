// Reading cfgs: what is accepted, the shapes and counts that follow (darknet.md 9), and every refusal with file and line.
#include <string>

#include "core/status.h"
#include "doctest/doctest.h"
#include "model/network_def.h"

using namespace dk;

namespace {

const char kHead[] = "[net]\nwidth=64\nheight=32\nchannels=3\n";

NetworkDef define(const std::string& text) { return define_network(parse_cfg(text, "a.cfg")); }

std::string refusal(const std::string& text) {
  try {
    define(text);
  } catch (const Error& e) {
    CHECK(e.status() == Status::bad_input);
    return e.what();
  }
  return "accepted";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_SUITE("cfg") {
  TEST_CASE("blanks, comments, CR LF, a BOM and repeated keys are read as upstream does") {
    const NetworkDef def = define(
        "\xEF\xBB\xBF[net]\r\n width = 6 4 \r\nheight=32#comment\n; note\n# "
        "note\nchannels=3\nwidth=128\n[conv]\nfilters=5\npad=1\nsize=3\n");
    CHECK(def.net.width == 64);
    CHECK(def.layers[0].out == Dims{5, 32, 64});
    REQUIRE(def.warnings.size() == 1);
    CHECK(contains(def.warnings[0], "line 7"));
    CHECK(def.layers[0].conv().activation == Activation::logistic);  // upstream's default
  }

  TEST_CASE("pad means half the size, padding means itself; strides may differ by axis; dilation widens the window") {
    const auto out = [](const std::string& keys) {
      return define(std::string(kHead) + "[convolutional]\nfilters=4\n" + keys).layers[0].out;
    };
    CHECK(out("size=3\npad=1\n") == Dims{4, 32, 64});
    CHECK(out("size=3\npadding=2\n") == Dims{4, 34, 66});
    CHECK(out("size=5\npad=1\npadding=7\nstride=2\n") == Dims{4, 16, 32});
    CHECK(out("size=3\npad=1\nstride_x=2\nstride_y=1\n") == Dims{4, 32, 32});
    CHECK(out("size=3\npad=1\ndilation=2\n") == Dims{4, 32, 64});
    CHECK(out("size=3\ndilation=2\n") == Dims{4, 28, 60});
  }

  TEST_CASE("max pooling pads size-1 unless told, and rounds up") {
    const auto out = [](const std::string& keys) {
      return define("[net]\nwidth=13\nheight=13\nchannels=2\n[maxpool]\n" + keys).layers[0].out;
    };
    CHECK(out("size=2\nstride=2\n") == Dims{2, 7, 7});
    CHECK(out("size=2\nstride=1\n") == Dims{2, 13, 13});
    CHECK(out("size=13\nstride=1\n") == Dims{2, 13, 13});
    CHECK(out("size=2\nstride=2\npadding=0\n") == Dims{2, 6, 6});
  }

  TEST_CASE("every bad line is named with file and line") {
    struct Case {
      std::string text, expected;
    };
    const std::string head = kHead;
    const Case cases[] = {
        {"", "a.cfg: no [section]"},
        {"width=3\n[net]\n", "a.cfg:1:"},
        {"[convolutional]\n", "a.cfg:1: the first section must be [net]"},
        {head, "no layer after [net]"},
        {head + "[convolutional]\nfilters\n", "a.cfg:6:"},
        {head + "[convolutional]\nfilters=\n", "a.cfg:6: key 'filters' has no value"},
        {head + "[convolutional]\nfilters=abc\n", "a.cfg:6:"},
        {head + "[convolutional]\nfilters=1e9\n", "a.cfg:6:"},
        {head + "[convolutional]\nfilters=-4\n", "a.cfg:6:"},
        {head + "[convolutional]\nfilters=nan\n", "a.cfg:6:"},
        {head + "[convolutional]\nfilers=4\n", "key 'filers' is not known; known: "},
        {head + "[convolutional]\nactivation=miish\n", "known: linear, leaky"},
        {head + "[convoluted]\n", "a.cfg:5: [convoluted] this section is not known; known: convolutional"},
        {head + "[convolutional\n", "a.cfg:5:"},
        {head + "[convolutional]\ngroups=2\nfilters=4\n", "a.cfg:6: [convolutional] groups=2"},
        {head + "[convolutional]\nsize=99\n", "layer 0: the output would be"},
        {head + "[route]\nlayers=-1\n", "only earlier layers"},
        {head + "[convolutional]\n[route]\nlayers=5\n", "a.cfg:7:"},
        {head + "[convolutional]\n[maxpool]\nsize=2\nstride=2\n[route]\nlayers=0,1\n", "sizes differ"},
        {head + "[convolutional]\n[shortcut]\nfrom=0\nactivation=linear\nweights_type=per_channel\n", "weights_type"},
        {head + "[convolutional]\nfilters=10\n[yolo]\nclasses=3\nnum=1\nmask=0\n", "filters=8"},
        {head + "[convolutional]\nfilters=8\n[yolo]\nclasses=3\nnum=1\nmask=1\n", "mask"},
        {head + "[convolutional]\nfilters=8\n[yolo]\nclasses=3\nnum=1\nmask=0\nanchors=1,0\n", "anchors must be above 0"},
        {head + "[convolutional]\nfilters=8\n[yolo]\nclasses=3\nnum=1\nmask=0\niou_loss=ioou\n", "known: mse, iou"},
        {"[net]\nwidth=64\nheight=32\nchannels=3\nmosaic=1\nletter_box=1\n[conv]\n", "exclude each other"},
        {"[net]\nwidth=64\nheight=32\nchannels=3\npolicy=steps\nsteps=1,2\nscales=.1\n[conv]\n",
         "steps has 2 items and scales 1"},
        {"[net]\nwidth=99999\nheight=32\nchannels=3\n[conv]\n", "expected 1 to 8192"},
        {"[net]\nwidth=64\nheight=32\n[conv]\n", "channels are needed"},
        {std::string("[net]\nwi\0dth=1\n", 14), "a zero byte"},
        {"\xFF\xFE[\0n\0", "UTF-16"},
    };
    for (const Case& c : cases) {
      const std::string message = refusal(c.text);
      CHECK_MESSAGE(contains(message, c.expected), message << "  (expected: " << c.expected << ")");
    }
  }

  TEST_CASE("limits: layers, parameters, bytes") {
    std::string many = kHead;
    for (int i = 0; i < 2002; ++i) many += "[dropout]\n";
    CHECK(contains(refusal(many), "more than 2001 sections"));
    std::string wide = "[net]\nwidth=1\nheight=1\nchannels=1\n";
    for (int i = 0; i < 3; ++i) wide += "[convolutional]\nfilters=65536\nsize=1\n";
    CHECK(contains(refusal(wide), "parameters"));
    CHECK(contains(refusal(std::string(5 << 20, '#')), "is no cfg"));
  }

  TEST_CASE("a layer may not read a [yolo] layer's output") {
    const std::string text =
        std::string(kHead) + "[convolutional]\nfilters=8\nactivation=linear\n[yolo]\nclasses=3\nnum=1\nmask=0\n[convolutional]\n";
    CHECK(define(text).layers.size() == 3);  // the shapes are fine; planning refuses it (test_network_plan)
  }
}
