// [yolo] (darknet.md 3.7, 4): reads the section; the back end activates and finds the deltas.
#include <cmath>
#include <numeric>

#include "core/status.h"
#include "layers/all_layers.h"
#include "layers/layer.h"
#include "layers/yolo_head.h"

namespace dk {
namespace {

IouLoss read_iou_kind(SectionReader& s, const char* key, const char* fallback, bool mse_allowed) {
  const std::string name = s.text(key, fallback);
  if (name == "iou") return IouLoss::iou;
  if (name == "giou") return IouLoss::giou;
  if (name == "diou") return IouLoss::diou;
  if (name == "ciou") return IouLoss::ciou;
  if (name == "mse" && mse_allowed) return IouLoss::mse;
  s.error(key, strf("%s=%s is not known; known: %siou, giou, diou, ciou", key, name.substr(0, 40).c_str(),
                    mse_allowed ? "mse, " : ""));
}

void read_anchors(SectionReader& s, YoloSpec* spec) {
  spec->scalars.num = s.integer("num", 1, 1, 1000);
  spec->anchors = s.numbers("anchors");
  if (spec->anchors.empty()) spec->anchors.assign(2 * static_cast<size_t>(spec->scalars.num), 0.5f);
  if (spec->anchors.size() < 2 * static_cast<size_t>(spec->scalars.num)) {
    s.error("anchors", strf("num=%d needs %d values in anchors, there are %zu", spec->scalars.num, 2 * spec->scalars.num,
                            spec->anchors.size()));
  }
  for (float value : spec->anchors) {
    if (value <= 0) s.error("anchors", "anchors must be above 0");
  }
  spec->mask = s.integers("mask");
  if (spec->mask.empty()) {
    spec->mask.resize(static_cast<size_t>(spec->scalars.num));
    std::iota(spec->mask.begin(), spec->mask.end(), 0);
  }
  for (int item : spec->mask) {
    if (item < 0 || item >= spec->scalars.num)
      s.error("mask", strf("mask: %d is no anchor; there are %d (from 0)", item, spec->scalars.num));
  }
}

void read_loss(SectionReader& s, YoloParams* p) {
  p->classes = s.integer("classes", 20, 1, CfgLimits::classes);
  p->max_boxes = s.integer("max", 200, 1, 100000);
  p->ignore_thresh = s.number("ignore_thresh", 0.5f);
  p->truth_thresh = s.number("truth_thresh", 1);
  p->iou_thresh = s.number("iou_thresh", 1);
  p->iou_thresh_kind = read_iou_kind(s, "iou_thresh_kind", "iou", false);
  p->iou_loss = read_iou_kind(s, "iou_loss", "mse", true);
  p->scale_x_y = s.number("scale_x_y", 1);
  p->new_coords = s.flag("new_coords", false);
  p->iou_normalizer = s.number("iou_normalizer", 0.75f);
  p->obj_normalizer = s.number("obj_normalizer", 1);
  p->cls_normalizer = s.number("cls_normalizer", 1);
  p->delta_normalizer = s.number("delta_normalizer", 1);
  p->max_delta = s.number("max_delta", FLT_MAX);
  p->label_smooth_eps = s.number("label_smooth_eps", 0);
  p->objectness_smooth = s.flag("objectness_smooth", false);
  p->focal_loss = s.flag("focal_loss", false);
  p->beta_nms = s.number("beta_nms", 0.6f);
  const std::string kind = s.text("nms_kind", "default");
  if (kind == "default") {
    p->nms_kind = NmsKind::default_nms;
  } else if (kind == "greedynms") {
    p->nms_kind = NmsKind::greedy;
  } else if (kind == "diounms") {
    p->nms_kind = NmsKind::diou;
  } else {
    s.error("nms_kind", "nms_kind=" + kind.substr(0, 40) + " is not known; known: default, greedynms, diounms");
  }
}

void read(SectionReader& s, const NetworkDef&, LayerDef* layer) {
  YoloSpec spec;
  read_loss(s, &spec.scalars);
  read_anchors(s, &spec);
  spec.jitter = s.number("jitter", 0.2f);
  spec.resize = s.number("resize", 1);
  spec.random = s.number("random", 0);
  if (spec.jitter < 0 || spec.jitter >= 0.5f) s.error("jitter", "jitter must be in [0, 0.5)");
  if (spec.resize <= 0 || spec.resize > 10) s.error("resize", "resize must be above 0 and at most 10");
  if (spec.random < 0 || (spec.random > 0 && spec.random < 1) || spec.random > 4)
    s.error("random", "random must be 0, 1 or a factor from 1 to 4");
  spec.show_details = s.flag("show_details", true);
  const std::vector<float> counters = s.numbers("counters_per_class");
  if (!counters.empty()) {
    if (static_cast<int>(counters.size()) != spec.scalars.classes) {
      s.error("counters_per_class", strf("counters_per_class has %zu items, classes=%d", counters.size(), spec.scalars.classes));
    }
    spec.class_multipliers = class_multipliers(counters, spec.scalars.max_delta);
  }
  s.refuse("embedding_layer", 0);
  s.ignore({"map", "track_history_size", "track_ciou_norm", "sim_thresh", "dets_for_track", "dets_for_show"});
  layer->spec = spec;
}

void shape(const NetworkDef& def, LayerDef* layer) {
  layer->in = layer->out = dims_of(def, layer->inputs[0]);
  const YoloSpec& spec = layer->yolo();
  const int64_t needed = static_cast<int64_t>(spec.mask.size()) * (spec.scalars.classes + 5);
  if (layer->in.c != needed) {
    bad_input("the layer before must have filters=%lld ((classes=%d + 5) * %zu masks), it has %d channels", (long long)needed,
              spec.scalars.classes, spec.mask.size(), layer->in.c);
  }
}

// A head's parameters with their arrays in the back end's memory.
class DeviceParams {
 public:
  static int64_t bytes(const YoloSpec& spec) {
    return static_cast<int64_t>(4 * (spec.anchors.size() + spec.mask.size() + spec.class_multipliers.size()));
  }

  DeviceParams(const YoloSpec& spec, Backend& backend) : backend_(backend), params_(spec.params()) {
    const size_t anchors = spec.anchors.size(), masks = spec.mask.size(), multipliers = spec.class_multipliers.size();
    memory_ = static_cast<float*>(backend.allocate(bytes(spec)));
    float* const mask = memory_ + anchors;
    float* const factors = mask + masks;
    backend.upload(memory_, spec.anchors.data(), static_cast<int64_t>(4 * anchors));
    backend.upload(mask, spec.mask.data(), static_cast<int64_t>(4 * masks));
    if (multipliers > 0) backend.upload(factors, spec.class_multipliers.data(), static_cast<int64_t>(4 * multipliers));
    params_.anchors = memory_;
    params_.mask = reinterpret_cast<const int*>(mask);
    params_.class_multipliers = multipliers > 0 ? factors : nullptr;
  }
  ~DeviceParams() { backend_.release(memory_); }
  DeviceParams(const DeviceParams&) = delete;
  DeviceParams& operator=(const DeviceParams&) = delete;

  const YoloParams& params() const { return params_; }

 private:
  Backend& backend_;
  YoloParams params_;
  float* memory_ = nullptr;
};

class Yolo : public YoloLayer {
 public:
  using YoloLayer::YoloLayer;

  LayerNeeds needs(const LayerIo& io, const Backend& backend, bool training) const override {
    LayerNeeds needs;
    needs.floats = training ? 2 : 1;  // output, delta
    return needs;
  }
  void prepare(const LayerIo& io, Backend& backend, bool training) override {
    scratch_bytes_ = training ? backend.yolo_scratch_bytes(def_.yolo().scalars, io.in[0].n) : 0;
  }
  int64_t workspace_bytes() const override { return scratch_bytes_; }
  int64_t private_bytes() const override { return DeviceParams::bytes(def_.yolo()); }

  void forward(const LayerIo& io, const LayerParams&, Pass& pass) override {
    if (pass.raw_heads) return;
    if (!arrays_) arrays_ = std::make_unique<DeviceParams>(def_.yolo(), pass.backend);
    if (!pass.training) return pass.backend.yolo_activate(arrays_->params(), io.in[0], io.floats[0]);
    YoloHead yolo;
    yolo.params = arrays_->params();
    yolo.params.max_boxes = pass.max_boxes;  // how the truth lies, whatever this section says
    yolo.net_w = pass.net_w, yolo.net_h = pass.net_h;
    yolo.truth = pass.truth;
    yolo.figures = pass.figures + head;
    yolo.figure_stride = pass.heads;
    pass.backend.yolo_loss(yolo, pass.step, io.in[0], io.floats[0], io.floats[1], pass.workspace);
  }

  void backward(const LayerIo& io, const LayerParams&, Pass& pass) override {
    if (!io.din[0]) return;
    const float scale = pass.loss_scale * def_.yolo().scalars.delta_normalizer;
    pass.backend.copy(io.floats[1], io.din[0], scale, io.din_accumulate[0] != 0);
  }

 private:
  int64_t scratch_bytes_ = 0;
  std::unique_ptr<DeviceParams> arrays_;  // taken at the first pass
};

}  // namespace

LayerType yolo_type() {
  return {LayerKind::yolo, {"yolo"}, read, shape, [](const LayerDef& def) -> std::unique_ptr<Layer> {
            return std::make_unique<Yolo>(def);
          }};
}

}  // namespace dk
