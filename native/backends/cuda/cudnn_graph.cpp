#include "cuda/cudnn_graph.h"

#include <algorithm>

#include "core/status.h"

namespace dk::cuda {
namespace {

cudnnBackendAttributeName_t attribute(int name) { return static_cast<cudnnBackendAttributeName_t>(name); }

cudnnDataType_t data_type(DType dtype) {
  return dtype == DType::bf16 ? CUDNN_DATA_BFLOAT16 : dtype == DType::f16 ? CUDNN_DATA_HALF : CUDNN_DATA_FLOAT;
}

void finish(CudnnDescriptor* descriptor, const char* what) { check_cudnn(descriptor->finalize(), what); }

// What cuDNN says of a configuration's engine: its notes of one kind.
template <class Note>
std::vector<Note> notes_of(const CudnnDescriptor& config, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                           int64_t most) {
  CudnnDescriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  cudnnBackendDescriptor_t raw = engine.raw();
  int64_t count = 0;
  check_cudnn(cudnn().get_attribute(config.raw(), CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &raw),
              "engine of a configuration");
  std::vector<Note> notes(static_cast<size_t>(most));
  check_cudnn(cudnn().get_attribute(engine.raw(), name, type, most, &count, notes.data()), "notes of an engine");
  notes.resize(static_cast<size_t>(count));
  return notes;
}

bool obeys(const PlanRules& rules, const CudnnDescriptor& config) {
  for (const auto note : notes_of<cudnnBackendNumericalNote_t>(config, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                                               CUDNN_TYPE_NUMERICAL_NOTE, CUDNN_NUMERICAL_NOTE_TYPE_COUNT)) {
    if (note == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC && rules.deterministic) return false;
    if (note != CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC && note != CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP && rules.exact)
      return false;
  }
  if (rules.compiled) return true;
  const auto behaviour = notes_of<cudnnBackendBehaviorNote_t>(config, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE,
                                                              CUDNN_BEHAVIOR_NOTE_TYPE_COUNT);
  return std::find(behaviour.begin(), behaviour.end(), CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION) == behaviour.end();
}

int64_t workspace_of(const CudnnDescriptor& plan) {
  int64_t workspace = 0, count = 0;
  check_cudnn(
      cudnn().get_attribute(plan.raw(), CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &count, &workspace),
      "workspace of a plan");
  return workspace;
}

// Configurations of one heuristic mode, best first.
std::vector<CudnnDescriptor> configurations(const CudnnTarget& target, const CudnnDescriptor& graph,
                                            cudnnBackendHeurMode_t mode) {
  CudnnDescriptor heuristic(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristic.set_one(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
  heuristic.set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
  target.tell(&heuristic, -1, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP);
  if (heuristic.finalize() != CUDNN_STATUS_SUCCESS) return {};
  int64_t count = 0;
  if (cudnn().get_attribute(heuristic.raw(), CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &count, nullptr) !=
      CUDNN_STATUS_SUCCESS)
    return {};
  std::vector<CudnnDescriptor> configs;
  std::vector<cudnnBackendDescriptor_t> raw;
  for (int64_t i = 0; i < count; ++i) {
    configs.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    raw.push_back(configs.back().raw());
  }
  check_cudnn(cudnn().get_attribute(heuristic.raw(), CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, count, &count,
                                    raw.data()),
              "results of a heuristic");
  configs.erase(configs.begin() + static_cast<ptrdiff_t>(count), configs.end());
  return configs;
}

}  // namespace

CudnnDescriptor::CudnnDescriptor(cudnnBackendDescriptorType_t type) {
  check_cudnn(cudnn().create_descriptor(type, &raw_), "create a descriptor");
}

CudnnDescriptor::~CudnnDescriptor() {
  if (raw_ != nullptr) cudnn().destroy_descriptor(raw_);
}

void CudnnDescriptor::set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count, const void* values) {
  check_cudnn(cudnn().set_attribute(raw_, name, type, count, values), "describe");
}

void CudnnDescriptor::set_one(cudnnBackendAttributeName_t name, const CudnnDescriptor& value) {
  const cudnnBackendDescriptor_t raw = value.raw();
  set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &raw);
}

CudnnTarget::CudnnTarget(const std::string& device_json)
    : device_(std::make_unique<CudnnDescriptor>(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR)) {
  device_->set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, static_cast<int64_t>(device_json.size()),
               device_json.data());
  finish(device_.get(), "description of a card");
}

void CudnnTarget::tell(CudnnDescriptor* of, int handle_attribute, int device_attribute) const {
  if (device_ != nullptr && device_attribute >= 0) of->set_one(attribute(device_attribute), *device_);
  if (device_ == nullptr && handle_attribute >= 0) of->set(attribute(handle_attribute), CUDNN_TYPE_HANDLE, 1, &handle_);
}

std::optional<CudnnPlan> CudnnPlan::from_text(const CudnnTarget& target, const std::string& text) {
  CudnnDescriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  target.tell(&plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP);
  if (cudnn().set_attribute(plan.raw(), CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                            static_cast<int64_t>(text.size()), text.data()) != CUDNN_STATUS_SUCCESS ||
      plan.finalize() != CUDNN_STATUS_SUCCESS)
    return std::nullopt;
  const int64_t workspace = workspace_of(plan);
  return CudnnPlan(std::move(plan), workspace);
}

std::string CudnnPlan::text() const {
  int64_t size = 0;
  if (cudnn().get_attribute(plan_.raw(), CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, 0, &size, nullptr) !=
          CUDNN_STATUS_SUCCESS ||
      size <= 0)
    return "";
  std::string text(static_cast<size_t>(size), '\0');
  if (cudnn().get_attribute(plan_.raw(), CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, size, &size,
                            text.data()) != CUDNN_STATUS_SUCCESS)
    return "";
  return text.substr(0, text.find('\0'));
}

void CudnnPlan::execute(cudnnHandle_t handle, const Memory& memory, void* workspace, Call* call) const {
  if (call->pack == nullptr || memory != call->memory || workspace != call->workspace) {
    std::vector<int64_t> numbers;
    std::vector<const void*> pointers;
    for (const auto& [number, pointer] : memory) numbers.push_back(number), pointers.push_back(pointer);
    auto pack = std::make_unique<CudnnDescriptor>(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    pack->set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, static_cast<int64_t>(numbers.size()), numbers.data());
    pack->set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, static_cast<int64_t>(pointers.size()), pointers.data());
    pack->set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace);
    finish(pack.get(), "memory of a plan");
    call->pack = std::move(pack);
    call->memory = memory;
    call->workspace = workspace;
  }
  check_cudnn(cudnn().execute(handle, plan_.raw(), call->pack->raw()), "execute a plan");
}

CudnnGraph::Id CudnnGraph::tensor(int64_t number, const int64_t (&dims)[4], DType dtype, int64_t buffer_c) {
  return add_tensor(number, dims, dtype, buffer_c, false);
}

CudnnGraph::Id CudnnGraph::add_tensor(int64_t number, const int64_t (&dims)[4], DType dtype, int64_t buffer_c, bool is_virtual) {
  const int64_t strides[4] = {buffer_c * dims[2] * dims[3], 1, buffer_c * dims[3], buffer_c};
  const cudnnDataType_t type = data_type(dtype);
  CudnnDescriptor t(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  t.set_number(CUDNN_ATTR_TENSOR_UNIQUE_ID, number);
  t.set_number(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, 16);
  t.set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
  t.set(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, dims);
  t.set(CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, strides);
  t.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &is_virtual);
  finish(&t, "tensor");
  tensors_.push_back(std::move(t));
  return tensors_.size() - 1;
}

CudnnDescriptor CudnnGraph::convolution(const Convolution& conv) const {
  const cudnnDataType_t compute = CUDNN_DATA_FLOAT;
  const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
  const int64_t padding[2] = {conv.padding, conv.padding}, strides[2] = {conv.stride_y, conv.stride_x},
                dilation[2] = {conv.dilation, conv.dilation};
  CudnnDescriptor c(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  c.set_number(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, 2);
  c.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &compute);
  c.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
  c.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, padding);
  c.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, padding);
  c.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, strides);
  c.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, dilation);
  finish(&c, "convolution");
  return c;
}

void CudnnGraph::add_convolution(cudnnBackendDescriptorType_t type, const Convolution& conv,
                                 std::initializer_list<std::pair<int, Id>> tensors, int conv_attribute, int alpha, int beta) {
  const float one = 1, zero = 0;
  parts_.push_back(convolution(conv));
  CudnnDescriptor operation(type);
  for (const auto& [name, id] : tensors) operation.set_one(attribute(name), tensors_[id]);
  operation.set_one(attribute(conv_attribute), parts_.back());
  operation.set(attribute(alpha), CUDNN_TYPE_FLOAT, 1, &one);
  operation.set(attribute(beta), CUDNN_TYPE_FLOAT, 1, &zero);
  finish(&operation, "operation of a convolution");
  operations_.push_back(std::move(operation));
}

void CudnnGraph::conv_forward(const Convolution& conv, Id x, Id w, Id y) {
  add_convolution(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, conv,
                  {{CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, x},
                   {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, w},
                   {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, y}},
                  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA);
}

void CudnnGraph::conv_backward_data(const Convolution& conv, Id dy, Id w, Id dx) {
  add_convolution(CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, conv,
                  {{CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, dy},
                   {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, w},
                   {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, dx}},
                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA);
}

void CudnnGraph::conv_backward_weights(const Convolution& conv, Id x, Id dy, Id dw) {
  add_convolution(CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR, conv,
                  {{CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, x},
                   {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, dy},
                   {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, dw}},
                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA);
}

void CudnnGraph::pointwise(cudnnPointwiseMode_t mode, Id x, Id y, float slope) {
  add_pointwise(mode, {{CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x}, {CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y}}, slope);
}

void CudnnGraph::pointwise(cudnnPointwiseMode_t mode, Id x, Id b, Id y) {
  add_pointwise(mode,
                {{CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x},
                 {CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b},
                 {CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y}},
                0);
}

void CudnnGraph::pointwise_backward(cudnnPointwiseMode_t mode, Id x, Id dy, Id dx, float slope) {
  add_pointwise(mode,
                {{CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x},
                 {CUDNN_ATTR_OPERATION_POINTWISE_DYDESC, dy},
                 {CUDNN_ATTR_OPERATION_POINTWISE_DXDESC, dx}},
                slope);
}

void CudnnGraph::add_pointwise(cudnnPointwiseMode_t mode, std::initializer_list<std::pair<int, Id>> tensors, float slope) {
  const cudnnDataType_t compute = CUDNN_DATA_FLOAT;
  const double below = slope;
  CudnnDescriptor how(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  how.set(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
  how.set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &compute);
  if (slope != 0) how.set(CUDNN_ATTR_POINTWISE_RELU_LOWER_CLIP_SLOPE, CUDNN_TYPE_DOUBLE, 1, &below);
  finish(&how, "pointwise");
  parts_.push_back(std::move(how));
  CudnnDescriptor operation(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  operation.set_one(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, parts_.back());
  for (const auto& [name, id] : tensors) operation.set_one(attribute(name), tensors_[id]);
  finish(&operation, "pointwise operation");
  operations_.push_back(std::move(operation));
}

void CudnnGraph::sum_places(Id x, Id y) {
  const cudnnReduceTensorOp_t add = CUDNN_REDUCE_TENSOR_ADD;
  const cudnnDataType_t compute = CUDNN_DATA_FLOAT;
  CudnnDescriptor how(CUDNN_BACKEND_REDUCTION_DESCRIPTOR);
  how.set(CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, 1, &add);
  how.set(CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &compute);
  finish(&how, "reduction");
  parts_.push_back(std::move(how));
  CudnnDescriptor operation(CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR);
  operation.set_one(CUDNN_ATTR_OPERATION_REDUCTION_DESC, parts_.back());
  operation.set_one(CUDNN_ATTR_OPERATION_REDUCTION_XDESC, tensors_[x]);
  operation.set_one(CUDNN_ATTR_OPERATION_REDUCTION_YDESC, tensors_[y]);
  finish(&operation, "operation of a reduction");
  operations_.push_back(std::move(operation));
}

std::vector<CudnnPlan> CudnnGraph::plans(const CudnnTarget& target, const PlanRules& rules, size_t most) const {
  std::vector<cudnnBackendDescriptor_t> raw;
  for (const CudnnDescriptor& operation : operations_) raw.push_back(operation.raw());
  CudnnDescriptor graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, static_cast<int64_t>(raw.size()), raw.data());
  target.tell(&graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, -1);
  if (graph.finalize() != CUDNN_STATUS_SUCCESS) return {};

  std::vector<CudnnPlan> found;
  for (const cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    for (const CudnnDescriptor& config : configurations(target, graph, mode)) {
      if (found.size() == most) return found;
      if (!obeys(rules, config)) continue;
      CudnnDescriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
      plan.set_one(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
      target.tell(&plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP);
      if (plan.finalize() != CUDNN_STATUS_SUCCESS) continue;
      const int64_t workspace = workspace_of(plan);
      if (workspace <= rules.workspace_bytes) found.emplace_back(std::move(plan), workspace);
    }
    if (!found.empty()) break;  // the fallback is for what the first mode has no answer to
  }
  return found;
}

}  // namespace dk::cuda
