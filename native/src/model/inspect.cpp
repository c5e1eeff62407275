#include "model/inspect.h"

#include "backend/registry.h"
#include "core/json_writer.h"
#include "core/status.h"
#include "model/network.h"
#include "model/weights_file.h"

namespace dk {
namespace {

std::string shapes(const LayerDef& l) {
  return strf("%4d x%4d x%4d -> %4d x%4d x%4d", l.in.w, l.in.h, l.in.c, l.out.w, l.out.h, l.out.c);
}

std::string references(const LayerDef& l, size_t from) {
  std::string text;
  for (size_t i = from; i < l.inputs.size(); ++i) text += strf(" %d", l.inputs[i]);
  return text;
}

std::string strides(int x, int y) { return x == y ? strf("/%2d", x) : strf("/%dx%d", x, y); }

std::string layer_line(const LayerDef& l) {
  switch (l.kind) {
    case LayerKind::convolutional: {
      const ConvolutionalSpec& s = l.conv();
      const std::string groups = s.groups > 1 ? strf("%d/", s.groups) : "";
      return strf("conv  %5d %3s  %2d x%2d%s   %s %5.3f BF", s.filters, groups.c_str(), s.size, s.size,
                  strides(s.stride_x, s.stride_y).c_str(), shapes(l).c_str(), layer_bflops(l));
    }
    case LayerKind::maxpool: {
      const MaxpoolSpec& s = std::get<MaxpoolSpec>(l.spec);
      return strf("max              %2d x%2d%s   %s %5.3f BF", s.size, s.size, strides(s.stride_x, s.stride_y).c_str(),
                  shapes(l).c_str(), layer_bflops(l));
    }
    case LayerKind::avgpool: return strf("avg                         %s", shapes(l).c_str());
    case LayerKind::upsample:
      return strf("upsample              %2dx   %s", std::get<UpsampleSpec>(l.spec).stride, shapes(l).c_str());
    case LayerKind::route: {
      const RouteSpec& s = std::get<RouteSpec>(l.spec);
      const std::string group = s.groups > 1 ? strf(" %d/%d", s.group_id, s.groups) : "";
      return strf("route %s%s                  -> %4d x%4d x%4d", references(l, 0).c_str(), group.c_str(), l.out.w, l.out.h,
                  l.out.c);
    }
    case LayerKind::shortcut:
      return strf("Shortcut Layer:%s, outputs: %4d x%4d x%4d %5.3f BF", references(l, 1).c_str(), l.out.w, l.out.h, l.out.c,
                  layer_bflops(l));
    case LayerKind::dropout:
      return strf("dropout    p = %.3f        %s", static_cast<double>(std::get<DropoutSpec>(l.spec).probability),
                  shapes(l).c_str());
    case LayerKind::sam: return strf("sam Layer:%s", references(l, 1).c_str());
    case LayerKind::scale_channels: return strf("scale Layer:%s", references(l, 1).c_str());
    case LayerKind::yolo:
      return strf("yolo  %d classes, %zu anchors of %d", l.yolo().scalars.classes, l.yolo().mask.size(), l.yolo().scalars.num);
  }
  return "";
}

void write_layers(const NetworkDef& def, JsonWriter* json) {
  json->key("layers").begin_array();
  const std::vector<ParamDef> params = network_params(def);
  size_t next = 0;
  for (const LayerDef& l : def.layers) {
    int64_t count = 0;
    for (; next < params.size() && params[next].layer == l.index; ++next) count += params[next].count;
    json->begin_object().field("index", l.index).field("type", layer_kind_name(l.kind)).field("line", l.line);
    json->key("inputs").begin_array();
    for (int input : l.inputs) json->value(input);
    json->end_array();
    json->key("output").begin_array().value(l.out.c).value(l.out.h).value(l.out.w).end_array();
    json->field("parameters", count).field("bflops", layer_bflops(l)).end_object();
  }
  json->end_array();
}

void write_weights_facts(const NetworkDef& def, const std::string& path, JsonWriter* json) {
  json->key("weights").begin_object().field("path", path);
  int64_t bytes = 0;
  const WeightsHeader header = read_weights_header(path, &bytes);
  const WeightsFit fit = fit_weights(def, (bytes - header.header_bytes) / 4);
  json->field("bytes", bytes)
      .field("version", strf("%d.%d.%d", header.major, header.minor, header.revision))
      .field("seen", header.seen);
  json->field("values", fit.floats_in_file).field("fits", fit.fits).field("partial", fit.partial).field("layers", fit.layers);
  if (fit.fits) {
    read_weights(def, path, uint64_t{1});  // every value must be finite
  } else {
    json->field("reason", fit.reason);
  }
  json->end_object();
}

int64_t needs_of(const NetworkDef& def, Backend& backend, const NetworkOptions& options) {
  return Network(def, backend, options).memory().total() +
         ParamStore::bytes(def, backend, {options.training, def.net.ema_alpha > 0 && options.training});
}

}  // namespace

NetworkNeeds network_needs(const NetworkDef& def) {
  auto backend = make_backend("cpu", 0);
  NetworkNeeds needs;
  needs.detect = needs_of(def, *backend, {false, DType::f32, 1});
  needs.train_one = needs_of(def, *backend, {true, DType::f32, 1});
  needs.train_mini_batch =
      def.net.mini_batch() == 1 ? needs.train_one : needs_of(def, *backend, {true, DType::f32, def.net.mini_batch()});
  return needs;
}

std::string format_layer_table(const NetworkDef& def) {
  std::string table = "   layer   filters  size/strd(dil)      input                output\n";
  for (const LayerDef& l : def.layers) table += strf("%4d %s\n", l.index, layer_line(l).c_str());
  table += strf("Total BFLOPS %5.3f \n", network_bflops(def));
  return table;
}

std::string describe_weights(const NetworkDef& def, const std::string& weights_path) {
  int64_t bytes = 0;
  const WeightsHeader header = read_weights_header(weights_path, &bytes);
  const WeightsFit fit = fit_weights(def, (bytes - header.header_bytes) / 4);
  std::string text =
      strf("%s: %lld bytes, version %d.%d.%d, %llu images seen, %lld values\n", weights_path.c_str(), (long long)bytes,
           header.major, header.minor, header.revision, (unsigned long long)header.seen, (long long)fit.floats_in_file);
  if (!fit.fits) return text + "does not fit: " + fit.reason + "\n";
  read_weights(def, weights_path, uint64_t{1});
  if (fit.partial)
    return text + strf("fits the first %d of %zu layers: start weights for training, not a finished model\n", fit.layers,
                       def.layers.size());
  return text + "fits this network; every value is finite\n";
}

std::string inspect_json(const std::string& cfg_path, const std::string& weights_path) {
  const NetworkDef def = load_network_def(cfg_path);
  JsonWriter json;
  json.begin_object().field("cfg", cfg_path);
  json.key("input").begin_array().value(def.net.channels).value(def.net.height).value(def.net.width).end_array();
  json.field("batch", def.net.batch).field("subdivisions", def.net.subdivisions).field("max_batches", def.net.max_batches);
  json.field("classes", def.classes()).field("parameters", network_param_count(def)).field("bflops", network_bflops(def));
  json.field("weights_bytes", 20 + 4 * network_param_count(def));
  const NetworkNeeds needs = network_needs(def);
  json.key("memory").begin_object().field("detect", needs.detect).field("train_mini_batch_1", needs.train_one);
  json.field("train_mini_batch", needs.train_mini_batch).field("mini_batch", def.net.mini_batch()).end_object();
  write_layers(def, &json);
  json.key("warnings").begin_array();
  for (const std::string& warning : def.warnings) json.value(warning);
  json.end_array();
  if (!weights_path.empty()) write_weights_facts(def, weights_path, &json);
  json.end_object();
  return json.text();
}

}  // namespace dk
