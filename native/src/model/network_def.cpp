#include "model/network_def.h"

#include <algorithm>
#include <cmath>

#include "core/status.h"
#include "layers/layer_registry.h"

namespace dk {
namespace {

void read_policy(SectionReader& s, NetOptions* net) {
  net->policy = s.text("policy", "constant");
  static const char* const known[] = {"constant", "step", "steps", "exp", "poly", "sigmoid", "random", "sgdr"};
  bool found = false;
  for (const char* name : known) found = found || net->policy == name;
  if (!found)
    s.error("policy", "policy=" + net->policy + " is not known; known: constant, step, steps, exp, poly, sigmoid, random, sgdr");
  net->steps = s.numbers("steps");
  net->scales = s.numbers("scales");
  if (net->policy == "steps") {
    if (net->steps.empty() || net->scales.empty()) s.error("policy", "policy=steps needs both steps and scales");
    if (net->steps.size() != net->scales.size()) {
      s.error("scales", strf("steps has %zu items and scales %zu", net->steps.size(), net->scales.size()));
    }
  }
  net->step = s.integer("step", 1, 1, 1 << 30);
  net->scale = s.number("scale", 1);
  net->gamma = s.number("gamma", 1);
  net->power = s.number("power", 4);
  net->burn_in = s.integer("burn_in", 0, 0, 1 << 30);
  net->learning_rate = s.number("learning_rate", 0.001f);
  net->learning_rate_min = s.number("learning_rate_min", 1e-5f);
  net->max_batches = s.integer("max_batches", 0, 0, 1 << 30);
  net->sgdr_cycle = s.integer("sgdr_cycle", net->max_batches, 0, 1 << 30);
  net->sgdr_mult = s.number("sgdr_mult", 2);
}

void read_augmentation(SectionReader& s, NetOptions* net) {
  net->saturation = s.number("saturation", 1);
  net->exposure = s.number("exposure", 1);
  net->hue = s.number("hue", 0);
  if (net->saturation <= 0) s.error("saturation", "saturation must be above 0");
  if (net->exposure <= 0) s.error("exposure", "exposure must be above 0");
  net->flip = s.flag("flip", true);
  net->mosaic = s.flag("mosaic", false);
  net->mosaic_bound = s.flag("mosaic_bound", false);
  if (s.flag("cutmix", false)) s.warn("cutmix", "cutmix does nothing in detector training (mosaic and mixup do)");
  net->mixup = s.flag("mixup", false);
  net->letter_box = s.flag("letter_box", false);
  if (net->mosaic && net->letter_box) s.error("letter_box", "mosaic=1 and letter_box=1 exclude each other");
  net->blur = s.integer("blur", 0, 0, 1000);
  net->gaussian_noise = s.integer("gaussian_noise", 0, 0, 255);
  net->resize_step = s.integer("resize_step", 32, 1, 4096);
  if (s.number("angle", 0) != 0) s.warn("angle", "angle has no effect in detector training");
  if (s.number("aspect", 1) != 1) s.warn("aspect", "aspect has no effect in detector training");
}

void read_net(SectionReader& s, NetOptions* net) {
  net->batch = s.integer("batch", 1, 1, CfgLimits::batch);
  net->subdivisions = s.integer("subdivisions", 1, 1, CfgLimits::batch);
  net->width = s.integer("width", 0, 1, CfgLimits::side);
  net->height = s.integer("height", 0, 1, CfgLimits::side);
  net->channels = s.integer("channels", 0, 1, 4096);
  if (net->width == 0 || net->height == 0 || net->channels == 0) s.error(nullptr, "width, height and channels are needed");
  net->momentum = s.number("momentum", 0.9f);
  net->decay = s.number("decay", 0.0001f);
  if (net->momentum < 0 || net->momentum >= 1) s.error("momentum", "momentum must be in [0, 1)");
  if (net->decay < 0) s.error("decay", "decay must not be negative");
  read_policy(s, net);
  read_augmentation(s, net);
  net->ema_alpha = s.number("ema_alpha", 0);
  if (net->ema_alpha < 0 || net->ema_alpha >= 1) s.error("ema_alpha", "ema_alpha must be in [0, 1)");
  net->loss_scale = s.number("loss_scale", 1);
  if (net->loss_scale <= 0) s.error("loss_scale", "loss_scale must be above 0");
  for (const char* key :
       {"equidistant_point", "num_sigmas_reject_badlabels", "badlabels_rejection_percentage", "dynamic_minibatch"}) {
    if (s.number(key, 0) != 0) s.warn(key, std::string(key) + " has no effect here");
  }
  s.refuse("time_steps", 1);
  s.refuse("adversarial_lr", 0);
  s.refuse("attention", 0);
  s.refuse("adam", 0);
  s.refuse("weights_reject_freq", 0);
  s.refuse("contrastive", 0);
  s.refuse("unsupervised", 0);
  s.ignore({"B1",
            "B2",
            "eps",
            "label_smooth_eps",
            "try_fix_nan",
            "optimized_memory",
            "workspace_size_limit_MB",
            "max_chart_loss",
            "track",
            "augment_speed",
            "sequential_subdivisions",
            "seq_scales",
            "contrastive_jit_flip",
            "contrastive_color",
            "use_cuda_graph",
            "show_receptive_field",
            "max_crop",
            "min_crop",
            "inputs",
            "num_steps",
            "aspect",
            "angle"});
}

std::string known_sections() {
  std::string known;
  for (const LayerType& type : layer_types()) {
    for (const std::string& name : type.names) known += (known.empty() ? "" : ", ") + name;
  }
  return known;
}

const LayerType* find_type(const std::string& name) {
  for (const LayerType& type : layer_types()) {
    for (const std::string& known : type.names) {
      if (known == name) return &type;
    }
  }
  return nullptr;
}

void read_common(SectionReader& s, LayerDef* layer) {
  layer->learning_rate = s.number("learning_rate", 1);
  layer->clip = s.number("clip", 0);
  layer->stopbackward = s.integer("stopbackward", 0, 0, 1 << 30);
  layer->dont_update = s.integer("dont_update", 0, 0, 1 << 30);
  layer->burnin_update = s.number("burnin_update", 0);
  layer->onlyforward = s.flag("onlyforward", false);
  layer->dontload = s.flag("dontload", false);
  layer->dontloadscales = s.flag("dontloadscales", false);
  layer->train_only_bn = s.flag("train_only_bn", false);
}

void check_shape(SectionReader& s, const LayerDef& layer) {
  if (layer.out.c < 1 || layer.out.h < 1 || layer.out.w < 1) {
    s.error(nullptr, strf("layer %d: the output would be %dx%dx%d; the input of %dx%d is too small for this network", layer.index,
                          layer.out.w, layer.out.h, layer.out.c, layer.in.w, layer.in.h));
  }
  if (layer.out.h > CfgLimits::side || layer.out.w > CfgLimits::side || layer.out.c > 4 * CfgLimits::filters) {
    s.error(nullptr, strf("layer %d: an output of %dx%dx%d is over the limits (side %d, channels %d)", layer.index, layer.out.w,
                          layer.out.h, layer.out.c, CfgLimits::side, 4 * CfgLimits::filters));
  }
}

}  // namespace

const char* layer_kind_name(LayerKind kind) { return layer_type(kind).names[0].c_str(); }

YoloParams YoloSpec::params() const {
  YoloParams params = scalars;
  params.anchors = anchors.data();
  params.mask = mask.data();
  params.mask_count = static_cast<int>(mask.size());
  params.class_multipliers = class_multipliers.empty() ? nullptr : class_multipliers.data();
  return params;
}

const LayerDef* NetworkDef::last_yolo() const {
  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer) {
    if (layer->is(LayerKind::yolo)) return &*layer;
  }
  return nullptr;
}

int NetworkDef::classes() const {
  const LayerDef* yolo = last_yolo();
  return yolo == nullptr ? 0 : yolo->yolo().scalars.classes;
}

std::vector<const LayerDef*> NetworkDef::yolos() const {
  std::vector<const LayerDef*> found;
  for (const LayerDef& layer : layers) {
    if (layer.is(LayerKind::yolo)) found.push_back(&layer);
  }
  return found;
}

bool NetworkDef::is_head(int layer) const {
  const LayerDef& head = layers[static_cast<size_t>(layer)];
  if (!head.is(LayerKind::convolutional)) return false;
  const ConvolutionalSpec& conv = head.conv();
  if (conv.batch_normalize || conv.activation != Activation::linear || conv.groups != 1) return false;
  int readers = 0;
  for (const LayerDef& reader : layers) {
    const auto reads = std::count(reader.inputs.begin(), reader.inputs.end(), layer);
    if (reads > 0 && !reader.is(LayerKind::yolo)) return false;
    readers += static_cast<int>(reads);
  }
  return readers > 0;
}

NetworkDef define_network(const CfgFile& file) {
  NetworkDef def;
  def.name = file.name;
  const CfgSection& first = file.sections.at(0);
  if (first.type != "net" && first.type != "network") {
    bad_input("%s:%d: the first section must be [net], not [%s]", file.name.c_str(), first.line,
              first.type.substr(0, 40).c_str());
  }
  SectionReader net(file, first, &def.warnings);
  read_net(net, &def.net);
  net.finish();
  if (file.sections.size() < 2) bad_input("%s: no layer after [net]", file.name.c_str());
  def.layers.reserve(file.sections.size() - 1);
  int64_t params = 0;
  for (size_t i = 1; i < file.sections.size(); ++i) {
    SectionReader section(file, file.sections[i], &def.warnings);
    const LayerType* type = find_type(file.sections[i].type);
    if (type == nullptr) section.error(nullptr, "this section is not known; known: " + known_sections());
    LayerDef layer;
    layer.kind = type->kind;
    layer.index = static_cast<int>(i) - 1;
    layer.line = file.sections[i].line;
    layer.inputs = {layer.index - 1};
    type->read(section, def, &layer);
    read_common(section, &layer);
    section.finish();
    try {
      type->shape(def, &layer);
    } catch (const Error& e) { section.error(nullptr, strf("layer %d: %s", layer.index, e.what())); }
    check_shape(section, layer);
    def.layers.push_back(std::move(layer));
    const LayerDef& added = def.layers.back();
    if (added.is(LayerKind::convolutional)) {
      params += static_cast<int64_t>(added.out.c) * (added.in.c / added.conv().groups) * added.conv().size * added.conv().size +
                4LL * added.out.c;
    }
    if (params > (int64_t{1} << 32)) section.error(nullptr, strf("layer %d: the network has over 2^32 parameters", added.index));
  }
  return def;
}

NetworkDef load_network_def(const std::string& cfg_path) { return define_network(read_cfg(cfg_path)); }

void resize_network(NetworkDef* def, int width, int height) {
  if (width < 1 || height < 1 || width > CfgLimits::side || height > CfgLimits::side) {
    bad_input("%s: an input of %dx%d is outside 1..%d", def->name.c_str(), width, height, CfgLimits::side);
  }
  def->net.width = width;
  def->net.height = height;
  for (LayerDef& layer : def->layers) {
    try {
      layer_type(layer.kind).shape(*def, &layer);
    } catch (const Error& e) {
      bad_input("%s: layer %d at an input of %dx%d: %s", def->name.c_str(), layer.index, width, height, e.what());
    }
    if (layer.out.count() < 1 || layer.out.h < 1 || layer.out.w < 1 || layer.out.h > CfgLimits::side ||
        layer.out.w > CfgLimits::side) {
      bad_input("%s: an input of %dx%d does not fit this network (layer %d)", def->name.c_str(), width, height, layer.index);
    }
  }
}

double layer_bflops(const LayerDef& layer) {
  const double outputs = static_cast<double>(layer.out.count());
  if (layer.is(LayerKind::convolutional)) {
    const ConvolutionalSpec& spec = layer.conv();
    return 2.0 * spec.size * spec.size * (layer.in.c / spec.groups) * outputs / 1e9;
  }
  if (layer.is(LayerKind::maxpool)) {
    const MaxpoolSpec& spec = std::get<MaxpoolSpec>(layer.spec);
    return static_cast<double>(spec.size) * spec.size * outputs / 1e9;
  }
  if (layer.is(LayerKind::shortcut)) return outputs * static_cast<double>(layer.inputs.size() - 1) / 1e9;
  return 0;
}

double network_bflops(const NetworkDef& def) {
  double sum = 0;
  for (const LayerDef& layer : def.layers) sum += layer_bflops(layer);
  return sum;
}

std::vector<ParamDef> network_params(const NetworkDef& def) {
  std::vector<ParamDef> params;
  for (const LayerDef& layer : def.layers) {
    if (!layer.is(LayerKind::convolutional)) continue;
    const ConvolutionalSpec& spec = layer.conv();
    const int64_t n = spec.filters;
    params.push_back({layer.index, ParamRole::biases, n});
    if (spec.batch_normalize) {
      params.push_back({layer.index, ParamRole::scales, n});
      params.push_back({layer.index, ParamRole::rolling_mean, n});
      params.push_back({layer.index, ParamRole::rolling_variance, n});
    }
    params.push_back({layer.index, ParamRole::weights, n * (layer.in.c / spec.groups) * spec.size * spec.size});
  }
  return params;
}

int64_t network_param_count(const NetworkDef& def) {
  int64_t count = 0;
  for (const ParamDef& param : network_params(def)) count += param.count;
  return count;
}

}  // namespace dk
