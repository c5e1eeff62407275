// Stored orders of convolution weights: places of single weights, packing, and fast conversions of blocks.
#include "cpu/conv_weights.h"

#include <cstring>
#include <numeric>

namespace dk::cpu {

using dnnl::memory;

namespace {

constexpr int kNarrowChannels = 3;  // up to here oneDNN has kernels for planar sources

// The smallest number of groups to merge so that both channel counts fill blocks; all groups where there is none.
int groups_to_merge(const ConvWeightShape& shape, int block) {
  const int64_t ic = shape.ic / shape.groups, oc = shape.oc / shape.groups;
  for (int merge = 1; merge < shape.groups; ++merge)
    if (shape.groups % merge == 0 && merge * ic % block == 0 && merge * oc % block == 0) return merge;
  return shape.groups;
}

int filled(int channels, int block) { return static_cast<int>(round_up(channels, block)); }

}  // namespace

StoredWeights::StoredWeights(const ConvWeightShape& shape, int block) : shape_(shape), block_(block) {
  DK_ASSERT(shape.groups >= 1 && shape.ic % shape.groups == 0 && shape.oc % shape.groups == 0 && shape.size >= 1);
  DK_ASSERT(shape.ic >= shape.groups && shape.oc >= shape.groups);
  if (shape.groups > 1 && shape.ic == shape.groups && shape.oc == shape.groups) {
    form_ = WeightForm::depthwise;
    groups_ = filled(shape.groups, block);
    group_ic_ = group_oc_ = 1;
    return;
  }
  if (shape.groups == 1 && shape.ic <= kNarrowChannels) {
    form_ = WeightForm::narrow;
    group_ic_ = shape.ic;
    group_oc_ = filled(shape.oc, block);
    return;
  }
  merge_ = groups_to_merge(shape, block);
  groups_ = shape.groups / merge_;
  group_ic_ = filled(shape.ic / groups_, block);
  group_oc_ = filled(shape.oc / groups_, block);
}

StoredWeights StoredWeights::widened() const {
  StoredWeights wide = *this;
  wide.form_ = WeightForm::dense;
  wide.group_ic_ = filled(group_ic_, block_);
  return wide;
}

int64_t StoredWeights::floats() const {
  return static_cast<int64_t>(groups_) * group_oc_ * group_ic_ * shape_.size * shape_.size;
}

memory::dims StoredWeights::dims() const {
  if (groups_ == 1) return {group_oc_, group_ic_, shape_.size, shape_.size};
  return {groups_, group_oc_, group_ic_, shape_.size, shape_.size};
}

memory::desc StoredWeights::desc() const {
  using Tag = memory::format_tag;
  const bool wide = block_ == 16, grouped = groups_ > 1;
  Tag tag = wide ? Tag::OIhw16i16o : Tag::OIhw8i8o;
  if (grouped) tag = wide ? Tag::gOIhw16i16o : Tag::gOIhw8i8o;
  if (form_ == WeightForm::narrow) tag = wide ? Tag::Ohwi16o : Tag::Ohwi8o;
  if (form_ == WeightForm::depthwise) tag = wide ? Tag::Goihw16g : Tag::Goihw8g;
  return {dims(), memory::data_type::f32, tag};
}

int64_t StoredWeights::index(int o, int i, int place) const {
  const int64_t places = static_cast<int64_t>(shape_.size) * shape_.size, b = block_;
  if (form_ == WeightForm::depthwise) return (o / b * places + place) * b + o % b;
  if (form_ == WeightForm::narrow) return ((o / b * places + place) * group_ic_ + i) * b + o % b;
  const int64_t shape_group = o / (shape_.oc / shape_.groups), group = shape_group / merge_;
  const int64_t out = merge_ == shape_.groups ? o : o - group * group_oc_;
  const int64_t in = shape_group % merge_ * (shape_.ic / shape_.groups) + i;
  const int64_t square = (group * (group_oc_ / b) + out / b) * (group_ic_ / b) + in / b;
  return ((square * places + place) * b + in % b) * b + out % b;
}

// visit(index in OIHW, index as stored) for every weight.
template <class Visit>
void StoredWeights::visit(Visit visit) const {
  const int ic = shape_.ic / shape_.groups, places = shape_.size * shape_.size;
  int64_t host = 0;
  for (int o = 0; o < shape_.oc; ++o)
    for (int i = 0; i < ic; ++i)
      for (int p = 0; p < places; ++p) visit(host++, index(o, i, p));
}

void StoredWeights::pack(const float* host_oihw, float* stored) const {
  std::memset(stored, 0, static_cast<size_t>(floats()) * sizeof(float));
  visit([&](int64_t host, int64_t place) { stored[place] = host_oihw[host]; });
}

void StoredWeights::unpack(const float* stored, float* host_oihw) const {
  visit([&](int64_t host, int64_t place) { host_oihw[host] = stored[place]; });
}

void StoredWeights::clear_unused(const Context& context, float* stored) const {
  if (!merged()) return;
  const int64_t b = block_, in_blocks = group_ic_ / b, squares = static_cast<int64_t>(groups_) * (group_oc_ / b) * in_blocks;
  const int64_t places = static_cast<int64_t>(shape_.size) * shape_.size;
  const int64_t ic = shape_.ic / shape_.groups, oc = shape_.oc / shape_.groups;
  for_each_item(context, squares, [&](int64_t square) {
    const int64_t out = square / in_blocks % (group_oc_ / b) * b, in = square % in_blocks * b;
    for (int64_t p = 0; p < places; ++p)
      for (int64_t i = 0; i < b; ++i)
        for (int64_t o = 0; o < b; ++o)
          if ((out + o) / oc != (in + i) / ic) stored[((square * places + p) * b + i) * b + o] = 0;
  });
}

void StoredWeights::widen(const StoredWeights& wide, const float* stored, float* stored_wide) const {
  std::memset(stored_wide, 0, static_cast<size_t>(wide.floats()) * sizeof(float));
  const int places = shape_.size * shape_.size;
  for (int o = 0; o < shape_.oc; ++o)
    for (int i = 0; i < group_ic_; ++i)
      for (int p = 0; p < places; ++p) stored_wide[wide.index(o, i, p)] = stored[index(o, i, p)];
}

void StoredWeights::narrow(const StoredWeights& wide, const float* stored_wide, float* stored) const {
  const int places = shape_.size * shape_.size;
  for (int o = 0; o < shape_.oc; ++o)
    for (int i = 0; i < group_ic_; ++i)
      for (int p = 0; p < places; ++p) stored[index(o, i, p)] = stored_wide[wide.index(o, i, p)];
}

WeightReorder::WeightReorder(const Context& context, const dnnl::engine& engine, const StoredWeights& from,
                             const memory::desc& to)
    : context_(context), from_(from.desc()), to_(to) {
  if (from_ == to_) return;
  way_ = Way::general;
  if (from.form() == WeightForm::dense) {
    const memory::dims dims = from.dims(), blocks = to.get_inner_blks(), order = to.get_inner_idxs();
    const size_t at = dims.size() - 4;  // of the output channel
    const memory::dim b = context.block(), o = static_cast<memory::dim>(at), i = o + 1;
    const bool f32 = to.get_data_type() == memory::data_type::f32;
    if (f32 && blocks == memory::dims{b, b} && order == memory::dims{o, i}) way_ = Way::transpose;
    if (!f32 && blocks == memory::dims{b / 2, b, 2} && order == memory::dims{i, o, i}) way_ = Way::pair;
    if (!f32 && blocks == memory::dims{b / 2, b, 2} && order == memory::dims{o, i, o}) way_ = Way::transpose_pair;
    if (way_ != Way::transpose && context.kernels->pair_blocks == nullptr) way_ = Way::general;
    // The kernels take the places of a square of channels one behind the other.
    const memory::dims strides = to.get_strides();
    const bool dense_places = dims[at + 2] == 1 || (strides[at + 3] == b * b && strides[at + 2] == dims[at + 3] * b * b);
    if (!dense_places || to.get_padded_dims() != dims) way_ = Way::general;
    groups_ = from.groups();
    out_blocks_ = static_cast<int>(dims[at] / b);
    in_blocks_ = static_cast<int>(dims[at + 1] / b);
    places_ = dims[at + 2] * dims[at + 3];
  }
  if (way_ == Way::general) general_ = dnnl::reorder({engine, from_, engine, to_});
}

void WeightReorder::run(const dnnl::engine& engine, dnnl::stream& stream, const float* from, void* to) const {
  if (way_ == Way::general) {
    memory source(from_, engine, const_cast<float*>(from)), target(to_, engine, to);
    general_.execute(stream, source, target);
    stream.wait();
    return;
  }
  const KernelTable& k = *context_.kernels;
  const auto convert = way_ == Way::transpose ? k.transpose_blocks : way_ == Way::pair ? k.pair_blocks : k.transpose_pair_blocks;
  const int64_t square = static_cast<int64_t>(context_.block()) * context_.block();
  const int64_t element = way_ == Way::transpose ? 4 : 2;
  const memory::dims strides = to_.get_strides();
  const size_t at = strides.size() - 4;
  const int64_t group_stride = groups_ > 1 ? strides[0] : 0;
  for_each_item(context_, static_cast<int64_t>(groups_) * out_blocks_, [&](int64_t item) {
    const int64_t group = item / out_blocks_, out = item % out_blocks_;
    for (int64_t in = 0; in < in_blocks_; ++in)
      convert(from + (item * in_blocks_ + in) * places_ * square, places_,
              static_cast<char*>(to) + (group * group_stride + out * strides[at] + in * strides[at + 1]) * element);
  });
}

}  // namespace dk::cpu
