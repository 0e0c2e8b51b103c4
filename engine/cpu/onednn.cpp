// oneDNN's primitives for both its major versions: see onednn.h. Uses oneDNN and OpenMP's thread setting.
#include "engine/cpu/onednn.h"

#include <cpuid.h>
#include <fmt/format.h>
#include <omp.h>

#include <new>
#include <utility>

namespace blindspot::cpu {
namespace {

using dnnl::algorithm;
using dnnl::prop_kind;
using Layout = dnnl::memory::desc;
using Tag = dnnl::memory::format_tag;

dnnl::memory::data_type data_type(Type type) {
  switch (type) {
    case Type::float32:
      return dnnl::memory::data_type::f32;
    case Type::bfloat16:
      return dnnl::memory::data_type::bf16;
    default:
      throw Error(ErrorKind::fault, "oneDNN computes in float32 and bfloat16 only here");
  }
}

dnnl::primitive_attr attributes(bool accumulate) {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (accumulate) {
    dnnl::post_ops operations;
    operations.append_sum(1.0F);
    attr.set_post_ops(operations);
  }
  return attr;
}

struct ConvolutionLayouts {
  Layout x, weights, bias, y;
  dnnl::memory::dims strides, pad_first, pad_last;

  explicit ConvolutionLayouts(const ConvolutionPlan& plan)
      : x({plan.batch, plan.in_channels, plan.height, plan.width}, data_type(plan.type), Tag::nhwc),
        weights({plan.out_channels, plan.in_channels, plan.kernel_height, plan.kernel_width}, data_type(plan.type),
                Tag::any),
        y({plan.batch, plan.out_channels, plan.out_height, plan.out_width}, data_type(plan.type), Tag::nhwc),
        strides{plan.stride, plan.stride},
        pad_first{plan.pad_top, plan.pad_left},
        pad_last{plan.pad_bottom, plan.pad_right} {
    if (plan.bias) bias = Layout({plan.out_channels}, dnnl::memory::data_type::f32, Tag::a);
  }
};

dnnl::convolution_forward::primitive_desc forward_description(const dnnl::engine& engine,
                                                              const ConvolutionLayouts& layouts,
                                                              const dnnl::primitive_attr& attr) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine,
          prop_kind::forward_inference,
          algorithm::convolution_direct,
          layouts.x,
          layouts.weights,
          layouts.bias,
          layouts.y,
          layouts.strides,
          layouts.pad_first,
          layouts.pad_last,
          attr};
#else
  const dnnl::convolution_forward::desc description(prop_kind::forward_inference, algorithm::convolution_direct,
                                                    layouts.x, layouts.weights, layouts.bias, layouts.y,
                                                    layouts.strides, layouts.pad_first, layouts.pad_last);
  return {description, attr, engine};
#endif
}

dnnl::convolution_backward_data::primitive_desc gradient_description(
    const dnnl::engine& engine, const ConvolutionLayouts& layouts, const dnnl::primitive_attr& attr,
    const dnnl::convolution_forward::primitive_desc& forward) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine,
          algorithm::convolution_direct,
          layouts.x,
          layouts.weights,
          layouts.y,
          layouts.strides,
          layouts.pad_first,
          layouts.pad_last,
          forward,
          attr};
#else
  const dnnl::convolution_backward_data::desc description(algorithm::convolution_direct, layouts.x, layouts.weights,
                                                          layouts.y, layouts.strides, layouts.pad_first,
                                                          layouts.pad_last);
  return {description, attr, engine, forward};
#endif
}

dnnl::matmul::primitive_desc product_description(const dnnl::engine& engine, const Layout& a, const Layout& b,
                                                 const Layout& bias, const Layout& c,
                                                 const dnnl::primitive_attr& attr) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine, a, b, bias, c, attr};
#else
  return {dnnl::matmul::desc(a, b, bias, c), attr, engine};
#endif
}

Layout matrix(std::int64_t rows, std::int64_t columns, const MatrixLayout& layout) {
  return {{rows, columns}, data_type(layout.type), {layout.row_stride, layout.column_stride}};
}

/// Whether the instruction set in effect holds all of another: oneDNN numbers them as sets of bits.
bool in_effect(dnnl::cpu_isa wanted) {
  const auto bits = static_cast<unsigned>(wanted);
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & bits) == bits;
}

std::string instruction_set() {
  if (in_effect(dnnl::cpu_isa::avx512_core_amx)) return "AVX-512 with bfloat16 and AMX";
  if (in_effect(dnnl::cpu_isa::avx512_core_bf16)) return "AVX-512 with bfloat16";
  if (in_effect(dnnl::cpu_isa::avx512_core)) return "AVX-512";
  if (in_effect(dnnl::cpu_isa::avx2)) return "AVX2";
  if (in_effect(dnnl::cpu_isa::avx)) return "AVX";
  return "SSE4.1";
}

}  // namespace

ThreadsInUse::ThreadsInUse(int threads) : before_(omp_get_max_threads()) {
  if (before_ != threads) omp_set_num_threads(threads);
}

ThreadsInUse::~ThreadsInUse() {
  if (omp_get_max_threads() != before_) omp_set_num_threads(before_);
}

void check_outcome(dnnl_status_t outcome, std::string_view what) {
  if (outcome == dnnl_success) return;
  if (outcome == dnnl_out_of_memory) {
    throw OutOfMemory(fmt::format("out of memory in oneDNN's {}; choose a smaller --batch", what));
  }
  throw Error(ErrorKind::fault, fmt::format("oneDNN's {} failed or lacks an argument", what));
}

Primitive::Primitive(const CpuDevice& device, dnnl::primitive primitive, const std::vector<Part>& parts,
                     const Layout& scratchpad, const Layout& weights, std::string implementation)
    : primitive_(std::move(primitive)),
      scratchpad_bytes_(scratchpad.get_size()),
      weights_(weights),
      implementation_(std::move(implementation)) {
  const auto add = [&](int number, const Layout& layout) {
    memories_.emplace_back(layout, device.library().engine, nullptr);
    arguments_.push_back({number, memories_.back().get()});
  };
  for (const Part& part : parts) add(part.number, part.layout);
  if (scratchpad_bytes_ > 0) add(DNNL_ARG_SCRATCHPAD, scratchpad);
}

bool Primitive::set_addresses(std::initializer_list<Argument> arguments, std::byte* scratchpad) noexcept {
  const std::size_t given = arguments_.size() - (scratchpad_bytes_ > 0 ? 1 : 0);
  if (arguments.size() != given) return false;
  // oneDNN takes every address as writable; it writes to results alone.
  for (const Argument& argument : arguments) {
    std::size_t place = 0;
    while (place < given && arguments_[place].arg != argument.number) ++place;
    if (place == given ||
        dnnl_memory_set_data_handle(arguments_[place].memory, const_cast<std::byte*>(argument.data)) != dnnl_success) {
      return false;
    }
  }
  return scratchpad_bytes_ == 0 || dnnl_memory_set_data_handle(arguments_.back().memory, scratchpad) == dnnl_success;
}

dnnl_status_t Primitive::compute(dnnl_stream_t stream, std::byte* scratchpad,
                                 std::initializer_list<Argument> arguments) noexcept {
  if (!set_addresses(arguments, scratchpad)) return dnnl_invalid_arguments;
  try {
    return dnnl_primitive_execute(primitive_.get(), stream, static_cast<int>(arguments_.size()), arguments_.data());
  } catch (const std::bad_alloc&) {
    return dnnl_out_of_memory;  // it keeps its arguments in a map, whose exception it lets out
  }
}

void Primitive::execute(CpuDevice& device, std::initializer_list<Argument> arguments) {
  Array scratchpad;
  if (scratchpad_bytes_ > 0) scratchpad = device.array(Type::uint8, {static_cast<std::int64_t>(scratchpad_bytes_)});
  if (device.rehearsing()) return;
  const ThreadsInUse threads(device.threads());
  check_outcome(compute(device.library().stream.get(), scratchpad.data(), arguments), implementation_);
}

Primitive convolution_primitive(const CpuDevice& device, const ConvolutionPlan& plan) {
  const ThreadsInUse threads(device.threads());
  const ConvolutionLayouts layouts(plan);
  const auto description = forward_description(device.library().engine, layouts, attributes(plan.accumulate));
  std::vector<Primitive::Part> parts{
      {DNNL_ARG_SRC, layouts.x}, {DNNL_ARG_WEIGHTS, description.weights_desc()}, {DNNL_ARG_DST, layouts.y}};
  if (plan.bias) parts.push_back({DNNL_ARG_BIAS, layouts.bias});
  return {device,
          dnnl::convolution_forward(description),
          parts,
          description.scratchpad_desc(),
          description.weights_desc(),
          description.impl_info_str()};
}

Primitive convolution_gradient_primitive(const CpuDevice& device, const ConvolutionPlan& plan) {
  const ThreadsInUse threads(device.threads());
  const ConvolutionLayouts layouts(plan);
  const auto forward = forward_description(device.library().engine, layouts, attributes(false));
  const auto description = gradient_description(device.library().engine, layouts, attributes(false), forward);
  return {
      device,
      dnnl::convolution_backward_data(description),
      {{DNNL_ARG_DIFF_DST, layouts.y}, {DNNL_ARG_WEIGHTS, description.weights_desc()}, {DNNL_ARG_DIFF_SRC, layouts.x}},
      description.scratchpad_desc(),
      description.weights_desc(),
      description.impl_info_str()};
}

std::int64_t weight_row_stride(std::int64_t columns, Type type) {
  // oneDNN takes its AMX kernels for rows without gaps alone; its others are slower there, and those of 3.2 give an
  // image other bits in another slot.
  if (type == Type::bfloat16 && in_effect(dnnl::cpu_isa::avx512_core_amx)) return columns;
  // Rows whose distance is a multiple of a large power of two would share few sets of the first-level cache, which
  // halves the rate of some products; so such rows are set apart.
  const auto line = static_cast<std::int64_t>(alignment / element_bytes(type));
  return columns % (8 * line) == 0 ? columns + line : columns;
}

Primitive matrix_product_primitive(const CpuDevice& device, const MatrixProductPlan& plan) {
  const ThreadsInUse threads(plan.one_thread ? 1 : device.threads());
  const Layout a = matrix(plan.rows, plan.inner, plan.a);
  const Layout b = matrix(plan.inner, plan.columns, plan.b);
  const Layout c = matrix(plan.rows, plan.columns, plan.c);
  const Layout bias = plan.bias ? Layout({1, plan.columns}, dnnl::memory::data_type::f32, Tag::ab) : Layout();
  const auto description = product_description(device.library().engine, a, b, bias, c, attributes(plan.accumulate));
  std::vector<Primitive::Part> parts{{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c}};
  if (plan.bias) parts.push_back({DNNL_ARG_BIAS, bias});
  return {device, dnnl::matmul(description), parts, description.scratchpad_desc(), b, description.impl_info_str()};
}

Memory packed_convolution_weights(const CpuDevice& device, const Primitive& primitive, const ConvolutionPlan& plan,
                                  std::span<const float> weight) {
  const ThreadsInUse threads(device.threads());
  const dnnl::engine& engine = device.library().engine;
  const Layout plain({plan.out_channels, plan.in_channels, plan.kernel_height, plan.kernel_width},
                     dnnl::memory::data_type::f32, Tag::ohwi);
  Memory packed(primitive.weights().get_size());
  dnnl::memory from(plain, engine, const_cast<float*>(weight.data()));  // only read
  dnnl::memory to(primitive.weights(), engine, packed.data());
  dnnl::stream stream(device.library().stream);
  dnnl::reorder(from, to).execute(stream, from, to);
  stream.wait();
  return packed;
}

std::string library_description() {
  const dnnl_version_t* version = dnnl_version();
  return fmt::format("oneDNN {}.{}.{}, {}", version->major, version->minor, version->patch, instruction_set());
}

bool has_bfloat16() {
  return in_effect(dnnl::cpu_isa::avx512_core);
}

bool has_fast_bfloat16() {
#if DNNL_VERSION_MAJOR >= 3
  // oneDNN 3.2's AVX-512 products of bfloat16 give an image other bits in another slot of the batch: never without AMX.
  return in_effect(dnnl::cpu_isa::avx512_core_amx);
#else
  if (in_effect(dnnl::cpu_isa::avx512_core_amx)) return true;
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  constexpr unsigned avx512_fp16 = 1U << 23U;
  const bool half_rate = __builtin_cpu_is("intel") != 0 && __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 &&
                         (edx & avx512_fp16) != 0;
  return in_effect(dnnl::cpu_isa::avx512_core_bf16) && !half_rate;
#endif
}

}  // namespace blindspot::cpu
