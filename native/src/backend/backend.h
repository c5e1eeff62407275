// The line between the engine and the machine: what a back end must be able to do. The engine (layers/, model/, train/)
// knows tensors, descriptions and these operations; how a tensor lies in memory is the back end's own business.
// Back ends: backends/reference (plain loops, planar NCHW, the yardstick of the tests), backends/cpu (oneDNN and own
// AVX code, channels in blocks), backends/cuda. A back end knows nothing of layers, cfgs or files.
//
// Conventions:
// - "delta" is minus the gradient of the loss (Darknet's sign): updates are added to the weights.
// - Per-channel float arrays (bias, gamma, mean, ...) hold padded_channels(c) floats; the padding must be and stays 0.
// - `accumulate`: add to what the output holds; else overwrite it.
// - What is added to gradients is a mini-batch's complete sum, rounded to float: so it does not matter which process adds.
// - Pointers and tensor data are memory from allocate(); on a GPU they are device addresses.
// - Every operation throws dk::Error on failure. Operations are issued from one thread at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend/device_detection.h"
#include "backend/device_group.h"
#include "backend/memory_account.h"
#include "backend/picture_renderer.h"
#include "core/status.h"
#include "math/activation.h"
#include "math/rolling.h"
#include "math/yolo_loss.h"

namespace dk {

enum class DType : int { f32, bf16, f16 };

inline int64_t dtype_bytes(DType type) { return type == DType::f32 ? 4 : 2; }
inline const char* dtype_name(DType type) { return type == DType::f32 ? "f32" : type == DType::bf16 ? "bf16" : "f16"; }

// Per-channel arrays are padded to this many floats in every back end.
constexpr int kChannelPad = 16;
inline int64_t padded_channels(int64_t c) { return (c + kChannelPad - 1) / kChannelPad * kChannelPad; }

// A tensor of n x c x h x w elements: a view of channels [c_offset, c_offset + c) of a buffer with buffer_c channels.
// c_offset is a multiple of Backend::channel_granularity(). A planar tensor is stored NCHW whatever the back end's own
// layout is (the network's input); a planar tensor is never a partial view.
struct Tensor {
  void* data = nullptr;  // start of the buffer, not of the view
  DType dtype = DType::f32;
  int n = 0, c = 0, h = 0, w = 0;
  int buffer_c = 0;
  int c_offset = 0;
  bool planar = false;

  int64_t count() const { return static_cast<int64_t>(n) * c * h * w; }
  explicit operator bool() const { return data != nullptr; }
};

// Weights [oc][ic/groups][size][size]; the part of a convolution that does not depend on the image size.
struct ConvWeightShape {
  int ic = 0, oc = 0, size = 1, groups = 1;
  int64_t count() const { return static_cast<int64_t>(oc) * (ic / groups) * size * size; }
};

// A convolution of given tensors. padding is on each side, already multiplied by dilation.
// out = (in + 2*padding - ((size-1)*dilation + 1)) / stride + 1.
struct ConvDesc {
  ConvWeightShape weights;
  int n = 1, ih = 0, iw = 0, oh = 0, ow = 0;
  int stride_x = 1, stride_y = 1, padding = 0, dilation = 1;
  DType dtype = DType::f32;  // of sources, deltas, and weights as they are multiplied
  bool f32_dst = false;      // dst is f32, never rounded to dtype: without groups, and nothing beyond the bias is fused
  int src_buffer_c = 0, dst_buffer_c = 0;  // channels of the buffers that the views lie in
  int src_c_offset = 0, dst_c_offset = 0;
  bool src_planar = false;      // the network's input
  bool training = false;        // backward will be called
  bool adds_src_delta = false;  // and backward_data with accumulate
  // Inference only (training == false): dst = act(conv + bias) [+ residual], in one pass where the back end can.
  Activation fused_activation = Activation::linear;
  bool fused_residual = false;
  int residual_buffer_c = 0, residual_c_offset = 0;

  DType dst_dtype() const { return f32_dst ? DType::f32 : dtype; }
};

// Arrays of one batch-normalised layer; all padded per-channel arrays.
struct BatchNormArrays {
  const float* gamma = nullptr;
  const float* beta = nullptr;
  float* mean = nullptr;          // of the mini-batch: written by forward, read by backward
  float* variance = nullptr;      // biased (1/n), likewise
  float* rolling_mean = nullptr;  // moved by these as math/rolling.h says
  float* rolling_variance = nullptr;
  float* dgamma = nullptr;  // backward adds here
  float* dbeta = nullptr;
  float* delta_sum = nullptr;  // between ConvPlan::backward_data_summed and Backend::batch_norm_backward_summed
  float* delta_moment = nullptr;
};
constexpr float kBatchNormEpsilon = 1e-5f;

// A batch-normalised layer without residual whose output's delta a convolution behind it completes.
struct NormBackward {
  Tensor x;  // its raw output, kept from forward
  BatchNormArrays bn;
  Activation activation = Activation::linear;
};

// A convolution made ready for fixed shapes. Weights are float arrays in the back end's own stored order
// (Backend::conv_weight_floats, pack_conv_weights); bias is a padded per-channel array or null. In any
// stored order the weights of each 64 output channels (without groups) lie together, those of the next ones behind them.
class ConvPlan {
 public:
  virtual ~ConvPlan() = default;

  virtual int64_t workspace_bytes() const = 0;  // scratch shared by all plans, given to each call
  virtual int64_t private_bytes() const = 0;    // held by the plan itself (copies of weights in other orders or types)

  // Must be called after the weights changed and before the next forward (also once at the start).
  virtual void weights_changed(const float* weights) = 0;

  // dst = conv(src) + bias, then fused_activation, then + residual (inference). residual is ignored unless described.
  virtual void forward(const Tensor& src, const float* weights, const float* bias, const Tensor* residual, const Tensor& dst,
                       void* workspace) = 0;
  // forward() without bias, training. A plan that can takes the sums of batch norm on the way, while the results are at hand:
  // sum of (dst - rolling_mean) into bn.mean, of its square into bn.variance, and returns true. Then batch_norm_train_summed()
  // goes on; else batch_norm_train().
  virtual bool forward_summed(const Tensor& src, const float* weights, const Tensor& dst, const BatchNormArrays& bn,
                              void* workspace) {
    forward(src, weights, nullptr, nullptr, dst, workspace);
    return false;
  }
  // dsrc (+)= W^T * ddst
  virtual void backward_data(const Tensor& ddst, const float* weights, const Tensor& dsrc, bool accumulate, void* workspace) = 0;
  // backward_data() where dsrc is the delta of `layer`'s output and complete with it. A plan that can goes on through the
  // activation: dsrc becomes g = delta * activation'(...), sum of g goes to layer.bn.delta_sum, of g * (x - mean) to
  // layer.bn.delta_moment, and it returns true. Then batch_norm_backward_summed() goes on; else batch_norm_backward().
  virtual bool backward_data_summed(const Tensor& ddst, const float* weights, const Tensor& dsrc, bool accumulate,
                                    const NormBackward& layer, void* workspace) {
    backward_data(ddst, weights, dsrc, accumulate, workspace);
    return false;
  }
  // dweights (+)= sum over images and places of src * ddst, in stored order
  virtual void backward_weights(const Tensor& src, const Tensor& ddst, float* dweights, bool accumulate, void* workspace) = 0;
};

// A max pooling: window of output i starts at offset + i*stride with offset = -(padding/2), size x size, outside = -inf.
// Ties: the first position in row-major window order.
struct PoolDesc {
  int size = 2, stride_x = 2, stride_y = 2, padding = 1;
};

// What a batch-normalised layer's output goes through where nobody else reads it: a max pooling whose windows lie side by side,
// or an upsampling. One pass over memory does both, and the output itself is never written.
struct NormTail {
  enum class Kind { none, max_pool, upsample };
  Kind kind = Kind::none;
  PoolDesc pool;
  void* index = nullptr;  // of the pooling
  int stride = 1;         // of the upsampling
  float scale = 1;

  explicit operator bool() const { return kind != Kind::none; }
};

// What differs from one mini-batch or update to the next although the same work is queued. It lies in the back end's memory,
// so that recorded work (Backend::record) reads it anew.
struct StepValues {
  uint64_t iteration = 0;    // of the dropout mask
  uint32_t first_image = 0;  // number of the mini-batch's first image within the iteration
  float rate = 0;            // learning rate of the update
  float average_share = 0;   // what an average keeps of itself: ema = share*ema + (1-share)*w
};

// One array of parameters for the update (spec 3.1.6), with rate = StepValues::rate * rate_factor / rate_divisor:
// v += g - decay*w;  w += rate*v;  v *= momentum;  then w is clamped to [-clip, clip] if clip > 0.
struct SgdArgs {
  float* w = nullptr;
  float* v = nullptr;        // null: w stays as it is
  const float* g = nullptr;  // null with v
  float* ema = nullptr;      // average that follows the new w, or null
  int64_t count = 0;
  float rate_factor = 1, rate_divisor = 1;  // the layer's factor; images in a batch
  float momentum = 0;
  float decay = 0;  // decay * batch, 0 for biases and scales
  float clip = 0;
};

// Measures where the time of queued work goes: the device passes the marks as it comes to them, nothing waits in between.
class Stopwatch {
 public:
  virtual ~Stopwatch() = default;
  virtual void mark() = 0;                      // here in the order of the operations
  virtual std::vector<double> intervals() = 0;  // waits for the work; the seconds between each mark and the next
};

// Where every operation is done when it returns.
class HostStopwatch final : public Stopwatch {
 public:
  void mark() override { marks_.push_back(std::chrono::steady_clock::now()); }
  std::vector<double> intervals() override {
    std::vector<double> seconds;
    for (size_t i = 1; i < marks_.size(); ++i)
      seconds.push_back(std::chrono::duration<double>(marks_[i] - marks_[i - 1]).count());
    return seconds;
  }

 private:
  std::vector<std::chrono::steady_clock::time_point> marks_;
};

// What allocate() takes from, in bytes.
struct DeviceMemory {
  bool is_host = true;  // the process's own memory, which pictures and files share; else a card's
  int64_t total = 0;
  int64_t free = 0;  // could still be had, by allocate() or by the device's libraries
};

// Weights whose values changed, and the convolution that computes with them.
struct ChangedWeights {
  ConvPlan* plan = nullptr;
  const float* weights = nullptr;
};

// A [yolo] head in training. The arrays of `params`, the truth and the figures lie in the back end's memory.
struct YoloHead {
  YoloParams params;
  int net_w = 0, net_h = 0;
  const float* truth = nullptr;  // n x max_boxes x (x, y, w, h, class); an image's list ends at the first x == 0
  // Mini-batch number m of the iteration (StepValues::first_image / n) writes figures[m * figure_stride].
  YoloFigures* figures = nullptr;
  int figure_stride = 1;
};

// Work that was recorded: replay() queues it again as it was, with the same tensors and arguments.
class Recording {
 public:
  virtual ~Recording() = default;
  virtual void replay() = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;

  virtual std::string name() const = 0;         // "reference", "cpu", "cuda:0"
  virtual std::string description() const = 0;  // the device in words, with its instruction set and thread count
  virtual bool supports(DType dtype) const = 0;
  virtual DType best_dtype() const { return DType::f32; }  // to train in where nobody says otherwise

  // Operations may be queued: finish() returns when all are done. A stopwatch must go before the back end does.
  virtual void finish() {}
  virtual std::unique_ptr<Stopwatch> make_stopwatch() { return std::make_unique<HostStopwatch>(); }
  // The operations that follow belong to this layer's forward or backward pass (-1: to the network's input). For messages,
  // measuring, and the tests' check of the plan; does nothing by itself.
  virtual void begin_layer(int layer, bool backward) {}

  // Memory. allocate() gives 64-byte aligned (GPU: 256), zeroed memory or throws Error(memory).
  void* allocate(int64_t bytes);
  void release(void* memory);  // null is no memory
  // All that is allocated here and not released, the back end's own needs among it; and the most there ever was.
  int64_t allocated_bytes() const { return account_.bytes(); }
  int64_t peak_bytes() const { return account_.peak(); }
  int64_t allocations() const { return account_.count(); }  // asked for so far
  virtual DeviceMemory device_memory() const;               // the host's, unless a back end says otherwise
  // Device memory beside what is allocated that the device's libraries come to hold as work goes on.
  virtual int64_t library_bytes() const { return 0; }
  // Device memory that import_planar() and export_planar() of so many floats come to hold.
  virtual int64_t staging_bytes(int64_t floats) const { return 0; }
  virtual void upload(void* device, const void* host, int64_t bytes) = 0;
  virtual void download(void* host, const void* device, int64_t bytes) = 0;
  virtual void zero(void* device, int64_t bytes) = 0;
  virtual void copy_bytes(void* to, const void* from, int64_t bytes) = 0;  // within the device
  virtual bool host_memory() const { return true; }  // whether allocate() gives memory that the host may read and write

  // Sums over the devices of several processes. new_group() of one process is told to all, which then join together; both
  // throw Error(device) with the reason where there is no such way.
  virtual DeviceGroupId new_group() { fail(Status::device, "%s has no way of its own to other processes", name().c_str()); }
  virtual std::unique_ptr<DeviceGroup> join_group(const DeviceGroupId&, int /*rank*/, int /*size*/) {
    fail(Status::device, "%s has no way of its own to other processes", name().c_str());
  }

  // Tensors. A view may begin and end at multiples of channel_granularity() channels, or end at its buffer's end.
  virtual int channel_granularity() const = 0;
  virtual int64_t tensor_bytes(int n, int c, int h, int w, DType dtype, bool planar) const = 0;  // of a whole buffer
  virtual void import_planar(const float* host_nchw, const Tensor& dst) = 0;                     // any dst, also planar
  virtual void export_planar(const Tensor& src, float* host_nchw) = 0;
  virtual void fill(const Tensor& dst, float value) = 0;  // the view only
  // dst (+)= scale * src. src may also be a planar f32 tensor where dst is neither.
  virtual void copy(const Tensor& src, const Tensor& dst, float scale, bool accumulate) = 0;
  // Channels [src_first, src_first + count) of src to [dst_first, ...) of dst, for slices off the granularity.
  virtual void copy_channels(const Tensor& src, int src_first, const Tensor& dst, int dst_first, int count, bool accumulate) = 0;

  // Convolution.
  virtual int64_t conv_weight_floats(const ConvWeightShape& shape) const = 0;
  virtual void pack_conv_weights(const ConvWeightShape& shape, const float* host_oihw, float* stored) = 0;
  virtual void unpack_conv_weights(const ConvWeightShape& shape, const float* stored, float* host_oihw) = 0;
  virtual std::unique_ptr<ConvPlan> make_conv(const ConvDesc& desc) = 0;
  // Whether two 1x1 convolutions of the same input train faster as one, their outputs side by side, than one after the other.
  virtual bool merges_siblings() const { return false; }
  // ConvPlan::weights_changed of many convolutions at once.
  virtual void weights_changed(std::span<const ChangedWeights> changed) {
    for (const ChangedWeights& one : changed) one.plan->weights_changed(one.weights);
  }

  // out = act(gamma * (x - mean)/sqrt(variance + eps) + beta) [+ residual]; statistics of the mini-batch, rolling ones updated.
  virtual void batch_norm_train(const Tensor& x, const BatchNormArrays& bn, Activation act, const Tensor* residual,
                                const Tensor& out) = 0;
  // The same after forward_summed() returned true. Back ends whose plans never do have no use for it.
  virtual void batch_norm_train_summed(const Tensor& x, const BatchNormArrays& bn, Activation act, const Tensor* residual,
                                       const Tensor& out) {
    batch_norm_train(x, bn, act, residual, out);
  }
  // The same with the rolling statistics, nothing updated: of frozen layers, and of outputs that are computed a second time.
  virtual void batch_norm_frozen(const Tensor& x, const BatchNormArrays& bn, Activation act, const Tensor* residual,
                                 const Tensor& out) = 0;
  // From dout (delta of out, residual's part excluded) and the saved x: dx (may be x itself), dgamma and dbeta added to.
  virtual void batch_norm_backward(const Tensor& dout, const Tensor& x, const BatchNormArrays& bn, Activation act,
                                   const Tensor& dx) = 0;
  // The same after backward_data_summed() returned true: g is what it left in dsrc. Only for such back ends.
  virtual void batch_norm_backward_summed(const Tensor& g, const Tensor& x, const BatchNormArrays& bn, const Tensor& dx) {
    fail(Status::internal, "%s takes no sums of batch norm", name().c_str());
  }

  // batch_norm_train() (summed: batch_norm_train_summed()) and its tail, and both backward: the same bits as one after the other.
  // x has h x w places; out and dout are the tail's. Only where fuses() says so.
  virtual bool fuses(const NormTail& tail, Activation act, int h, int w) const { return false; }
  virtual void batch_norm_train_tail(const Tensor& x, const BatchNormArrays& bn, Activation act, const NormTail& tail,
                                     bool summed, const Tensor& out) {
    fail(Status::internal, "%s does nothing behind batch norm", name().c_str());
  }
  virtual void batch_norm_backward_tail(const Tensor& dout, const Tensor& x, const BatchNormArrays& bn, Activation act,
                                        const NormTail& tail, const Tensor& dx) {
    fail(Status::internal, "%s does nothing behind batch norm", name().c_str());
  }

  // Raised when a convolution can be done faster than so far (its plans are built in the background) once its work is queued
  // unrecorded again.
  virtual int64_t plans_generation() const { return 0; }

  // Without batch norm: out = act(x + bias) [+ residual] (out may be x).
  virtual void bias_activation(const Tensor& x, const float* bias, Activation act, const Tensor* residual, const Tensor& out) = 0;
  // dx = dout * act'(x + bias) (dx may be x or dout); dbias += sum of dx. bias and dbias may be null.
  virtual void bias_activation_backward(const Tensor& dout, const Tensor& x, const float* bias, Activation act, float* dbias,
                                        const Tensor& dx) = 0;

  // Pooling. index holds max_pool_index_bytes; null at inference.
  virtual int64_t max_pool_index_bytes(const PoolDesc& desc, const Tensor& dst) const = 0;
  virtual void max_pool(const PoolDesc& desc, const Tensor& src, const Tensor& dst, void* index) = 0;
  virtual void max_pool_backward(const PoolDesc& desc, const Tensor& ddst, const void* index, const Tensor& dsrc,
                                 bool accumulate) = 0;
  virtual void global_average_pool(const Tensor& src, const Tensor& dst) = 0;  // dst is n x c x 1 x 1
  virtual void global_average_pool_backward(const Tensor& ddst, const Tensor& dsrc, bool accumulate) = 0;

  // Nearest neighbour: dst[y][x] = scale * src[y/stride][x/stride]; backward sums.
  virtual void upsample(const Tensor& src, int stride, float scale, const Tensor& dst) = 0;
  virtual void upsample_backward(const Tensor& ddst, int stride, float scale, const Tensor& dsrc, bool accumulate) = 0;

  // dst (+)= a .* b. b is either of a's shape or n x c x 1 x 1 (per channel) .
  virtual void multiply(const Tensor& a, const Tensor& b, const Tensor& dst, bool accumulate) = 0;
  // dst (n x c x 1 x 1) (+)= sum over places of a .* b
  virtual void multiply_reduce(const Tensor& a, const Tensor& b, const Tensor& dst, bool accumulate) = 0;

  // Inverted dropout: kept values * 1/(1-probability). The mask is a function of (seed, iteration, layer and first image, element
  // in NCHW order), so that no two mini-batches share one; forward and backward are the same operation.
  virtual void dropout(const Tensor& src, float probability, uint64_t seed, uint32_t layer, const StepValues* step,
                       const Tensor& dst, bool accumulate) = 0;

  // Detection on the device, for networks whose heads have so many slots and classes; null leaves it to the host. It takes so
  // many bytes from allocate() for itself.
  virtual std::unique_ptr<DeviceDetection> make_detection(int batch, int slots, int classes) { return nullptr; }
  virtual int64_t detection_bytes(int batch, int slots, int classes) const { return 0; }

  // [yolo]. out and delta are f32, whole and planar; raw is of any type. Figures are summed in a fixed order.
  virtual int64_t yolo_scratch_bytes(const YoloParams& params, int n) const = 0;  // for yolo_loss
  virtual void yolo_activate(const YoloParams& params, const Tensor& raw, const Tensor& out) = 0;
  virtual void yolo_loss(const YoloHead& head, const StepValues* step, const Tensor& raw, const Tensor& out, const Tensor& delta,
                         void* scratch) = 0;

  // values *= factor; false if one of them is not finite. For gradients in f16's scaled numbers; only where that is supported.
  virtual bool scale_floats(float* values, int64_t count, float factor) {
    fail(Status::internal, "%s has no use for scaled gradients", name().c_str());
  }
  // Parameters: all arrays of an update at once. *not_finite becomes 1 if some w is not finite afterwards; it is never cleared.
  virtual void update(std::span<const SgdArgs> arrays, const StepValues* step, int32_t* not_finite) = 0;

  // Runs work and, if the back end can, returns a recording of it: without one, work has to be run again. Work must have run
  // once before; it may only call operations on tensors and parameters: no allocation, upload or download, import or export.
  virtual std::unique_ptr<Recording> record(const std::function<void()>& work) {
    work();
    return nullptr;
  }

  // A network may keep the plans and recordings of input sizes that it leaves and comes back to: they hold no memory but what is
  // held once for all of them.
  virtual bool keeps_sizes() const { return false; }

  // Training pictures drawn on the device (backend/picture_renderer.h); nothing where pictures are drawn on the host. The
  // renderer must be gone before the back end.
  virtual std::unique_ptr<PictureRenderer> make_renderer(const RendererOptions&) { return nullptr; }
  virtual RendererMemory renderer_memory(const RendererOptions&) const { return {}; }  // what it will take, images included

 protected:
  // What allocate() and release() keep account of: zeroed memory or Error(memory), and the way back.
  virtual void* take_memory(int64_t bytes) = 0;
  virtual void give_memory_back(void* memory) = 0;

 private:
  MemoryAccount account_;
};

}  // namespace dk
