// A network as its cfg describes it: options, layers with their shapes, parameters in Darknet's order. Nothing here
// allocates tensors or knows a device; `inspect`, the weights file and the executor (model/network.h) all read it.
#pragma once

#include <cfloat>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "math/activation.h"
#include "math/yolo_loss.h"
#include "model/cfg_reader.h"

namespace dk {

enum class LayerKind { convolutional, maxpool, avgpool, upsample, route, shortcut, dropout, sam, scale_channels, yolo };

const char* layer_kind_name(LayerKind kind);

struct Dims {
  int c = 0, h = 0, w = 0;
  int64_t count() const { return static_cast<int64_t>(c) * h * w; }
  bool operator==(const Dims&) const = default;
};

struct ConvolutionalSpec {
  int filters = 1, size = 1, stride_x = 1, stride_y = 1, pad = 0, groups = 1, dilation = 1;  // pad as in the cfg's `padding`
  bool batch_normalize = false;
  Activation activation = Activation::logistic;
};

struct MaxpoolSpec {
  int size = 1, stride_x = 1, stride_y = 1, padding = 0;
};

struct AvgpoolSpec {};

struct UpsampleSpec {
  int stride = 2;
  float scale = 1;
};

struct RouteSpec {
  int groups = 1, group_id = 0;
};

struct ShortcutSpec {
  Activation activation = Activation::linear;
};

struct DropoutSpec {
  float probability = 0.2f;
};

// sam: out = prev .* from. scale_channels: from * per-channel scalar (or per pixel, if scale_wh).
struct SamSpec {
  Activation activation = Activation::linear;
};
struct ScaleChannelsSpec {
  Activation activation = Activation::linear;
};

// Keys of [yolo] with the arrays that YoloParams points into.
struct YoloSpec {
  std::vector<float> anchors;  // 2 per anchor, pixels of the network's input
  std::vector<int> mask;
  std::vector<float> class_multipliers;  // empty: all 1
  YoloParams scalars;                    // pointers are null here; see params()
  float jitter = 0.2f, resize = 1.0f, random = 0.0f;
  bool show_details = true;

  // Valid while this object lives and is not changed.
  YoloParams params() const;
};

struct LayerDef {
  LayerKind kind = LayerKind::convolutional;
  int index = 0;  // from 0, [net] not counted
  int line = 0;
  std::vector<int> inputs;  // layers read, -1 = the network's input; [0] is the layer's main input
  Dims in, out;
  std::variant<ConvolutionalSpec, MaxpoolSpec, AvgpoolSpec, UpsampleSpec, RouteSpec, ShortcutSpec, DropoutSpec, SamSpec,
               ScaleChannelsSpec, YoloSpec>
      spec;

  // Keys that any layer may carry (darknet.md 1.7).
  float learning_rate = 1, clip = 0;
  int stopbackward = 0, dont_update = 0;
  float burnin_update = 0;
  bool onlyforward = false, dontload = false, dontloadscales = false, train_only_bn = false;

  const ConvolutionalSpec& conv() const { return std::get<ConvolutionalSpec>(spec); }
  const YoloSpec& yolo() const { return std::get<YoloSpec>(spec); }
  bool is(LayerKind k) const { return kind == k; }
};

struct NetOptions {
  int batch = 1, subdivisions = 1;
  int width = 0, height = 0, channels = 0;
  float momentum = 0.9f, decay = 0.0001f;
  float learning_rate = 0.001f, learning_rate_min = 1e-5f;
  int burn_in = 0;
  float power = 4;
  std::string policy = "constant";
  std::vector<float> steps, scales;
  int step = 1;
  float scale = 1, gamma = 1;
  int sgdr_cycle = 0;
  float sgdr_mult = 2;
  int max_batches = 0;
  float saturation = 1, exposure = 1, hue = 0;
  bool flip = true, mosaic = false, mosaic_bound = false, mixup = false, letter_box = false;
  int blur = 0, gaussian_noise = 0;
  int resize_step = 32;
  float ema_alpha = 0, loss_scale = 1;

  int mini_batch() const { return batch / subdivisions > 0 ? batch / subdivisions : 1; }
};

struct NetworkDef {
  std::string name;  // of the cfg, for messages
  NetOptions net;
  std::vector<LayerDef> layers;
  std::vector<std::string> warnings;

  const LayerDef* last_yolo() const;  // null when there is none
  int classes() const;                // of the last yolo layer, 0 without one
  std::vector<const LayerDef*> yolos() const;
  // Whether a layer's output is logits: a linear convolution without groups and batch norm that nobody reads but [yolo] layers.
  // They are f32 in networks of any type.
  bool is_head(int layer) const;
};

// Builds the network of a cfg at its own input size. Throws Error(bad_input) naming file and line.
NetworkDef define_network(const CfgFile& file);
NetworkDef load_network_def(const std::string& cfg_path);

// Recomputes every shape for another input size (multi-scale training, detection at another size).
void resize_network(NetworkDef* def, int width, int height);

// Floating-point operations of one image's forward pass in units of 1e9, the way Darknet counts them.
double layer_bflops(const LayerDef& layer);
double network_bflops(const NetworkDef& def);

// The arrays that a layer has in the weights file, in its order.
enum class ParamRole { biases, scales, rolling_mean, rolling_variance, weights };
struct ParamDef {
  int layer = 0;
  ParamRole role = ParamRole::weights;
  int64_t count = 0;
};
std::vector<ParamDef> network_params(const NetworkDef& def);  // all layers, in file order
int64_t network_param_count(const NetworkDef& def);

}  // namespace dk
