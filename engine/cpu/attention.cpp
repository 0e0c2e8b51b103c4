// Attention of the CPU device: every thread takes one head of one image after another, gathers its rows, and multiplies
// them by oneDNN on its own, so that scores and probabilities stay in its cache. Softmax is in float32; the gradient
// makes the probabilities again from Q, K and the row's log-sum-exp.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "engine/cpu/cpu_device_class.h"
#include "engine/cpu/onednn.h"
#include "engine/cpu/vector_kernels.h"
#include "engine/prepared_work.h"

namespace blindspot::cpu {
namespace {

/// The matrix products of one head for one thread; T tokens, head width W.
struct HeadProducts {
  HeadProducts(const CpuDevice& device, std::int64_t tokens, std::int64_t width) : stream(device.library().engine) {
    const Type type = device.product_type();
    const MatrixLayout rows{type, width, 1};            // [T, W]
    const MatrixLayout turned_rows{type, 1, width};     // [W, T]
    const MatrixLayout square{type, tokens, 1};         // [T, T]
    const MatrixLayout turned_square{type, 1, tokens};  // its transpose
    const MatrixLayout scores{Type::float32, tokens, 1};
    from_rows =
        matrix_product_primitive(device, {tokens, width, tokens, rows, turned_rows, scores, false, false, true});
    from_square = matrix_product_primitive(device, {tokens, tokens, width, square, rows, rows, false, false, true});
    from_turned =
        matrix_product_primitive(device, {tokens, tokens, width, turned_square, rows, rows, false, false, true});
  }

  std::size_t scratchpad_bytes() const {
    return std::max({from_rows.scratchpad_bytes(), from_square.scratchpad_bytes(), from_turned.scratchpad_bytes()});
  }

  dnnl::stream stream;
  Primitive from_rows;    ///< Q Kᵀ and dO Vᵀ, float32 [T, T]
  Primitive from_square;  ///< P V and dS K, [T, W]
  Primitive from_turned;  ///< Pᵀ dO and dSᵀ Q, [T, W]
};

/// Where a thread keeps what it works on. With products in float32, P lies where S was and dS where dP was.
struct HeadScratch {
  std::byte *queries, *keys, *values, *dout, *result, *library;  // [T, W] in the product type, but for the last
  float *scores, *dprobabilities;                                // [T, T]
  std::byte *probabilities, *dscores;                            // [T, T] in the product type
};

class CpuAttention final : public Attention {
 public:
  CpuAttention(CpuDevice& device, const AttentionDescription& description)
      : device_(device),
        description_(description),
        type_(device.activation_type()),
        scale_(1.0F / std::sqrt(static_cast<float>(description.head_width))) {
    for (int worker = 0; worker < device.threads(); ++worker) {
      products_.emplace_back(device, description.tokens, description.head_width);
    }
    device.note_work(work_of(description, device.activation_type()));
  }

  void forward(const Array& qkv, Array& out, Array& log_sum_exp) override {
    check(qkv, out, log_sum_exp);
    for_each_head([&](std::int64_t image, std::int64_t head, HeadProducts& products, const HeadScratch& scratch) {
      gather(qkv, image, head, 0, 3, scratch.queries);
      gather(qkv, image, head, 1, 3, scratch.keys);
      gather(qkv, image, head, 2, 3, scratch.values);
      dnnl_status_t outcome =
          multiply(products, products.from_rows, scratch, scratch.queries, scratch.keys, scratch.scores);
      softmax(scratch, row_sums(log_sum_exp, image, head));
      outcome = std::max(outcome, multiply(products, products.from_square, scratch, scratch.probabilities,
                                           scratch.values, scratch.result));
      scatter(scratch.result, image, head, 0, 1, out);
      return outcome;
    });
  }

  void input_gradient(const Array& qkv, const Array& out, const Array& log_sum_exp, const Array& dout,
                      Array& dqkv) override {
    check(qkv, out, log_sum_exp);
    check(dqkv, dout, log_sum_exp);
    for_each_head([&](std::int64_t image, std::int64_t head, HeadProducts& products, const HeadScratch& scratch) {
      gather(qkv, image, head, 0, 3, scratch.queries);
      gather(qkv, image, head, 1, 3, scratch.keys);
      gather(qkv, image, head, 2, 3, scratch.values);
      gather(dout, image, head, 0, 1, scratch.dout);
      dnnl_status_t outcome =
          multiply(products, products.from_rows, scratch, scratch.queries, scratch.keys, scratch.scores);
      outcome = std::max(outcome, multiply(products, products.from_rows, scratch, scratch.dout, scratch.values,
                                           scratch.dprobabilities));
      softmax_gradient(scratch, row_sums(log_sum_exp, image, head));
      outcome = std::max(
          outcome, multiply(products, products.from_square, scratch, scratch.dscores, scratch.keys, scratch.result));
      scatter(scratch.result, image, head, 0, 3, dqkv);
      outcome = std::max(
          outcome, multiply(products, products.from_turned, scratch, scratch.dscores, scratch.queries, scratch.result));
      scatter(scratch.result, image, head, 1, 3, dqkv);
      outcome = std::max(outcome, multiply(products, products.from_turned, scratch, scratch.probabilities, scratch.dout,
                                           scratch.result));
      scatter(scratch.result, image, head, 2, 3, dqkv);
      return outcome;
    });
  }

 private:
  /// Runs body for every head of every image, the heads in contiguous parts, a part a thread.
  template <typename Body>
  void for_each_head(const Body& body) {
    const auto workers = static_cast<std::int64_t>(products_.size());
    const std::size_t bytes = carve(nullptr, nullptr);
    const Array memory = device_.array(Type::uint8, {workers, static_cast<std::int64_t>(bytes)});
    const std::int64_t heads = description_.batch * description_.heads;
    std::atomic<dnnl_status_t> failure = dnnl_success;
    device_.parallel_for(workers, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t worker = begin; worker < end; ++worker) {
        HeadScratch scratch{};
        carve(memory.data() + static_cast<std::size_t>(worker) * bytes, &scratch);
        HeadProducts& products = products_[static_cast<std::size_t>(worker)];
        for (std::int64_t head = heads * worker / workers; head < heads * (worker + 1) / workers; ++head) {
          const dnnl_status_t outcome = body(head / description_.heads, head % description_.heads, products, scratch);
          if (outcome != dnnl_success) failure = outcome;
        }
      }
    });
    check_outcome(failure, "matrix product of attention");
  }

  /// Divides a thread's memory; returns how much it needs.
  std::size_t carve(std::byte* memory, HeadScratch* scratch) const {
    std::size_t used = 0;
    const auto take = [&](std::size_t bytes) {
      std::byte* const place = memory == nullptr ? nullptr : memory + used;
      used += (bytes + alignment - 1) / alignment * alignment;
      return place;
    };
    const auto squares = static_cast<std::size_t>(description_.tokens * description_.tokens);
    const auto rows = static_cast<std::size_t>(description_.tokens * description_.head_width);
    const std::size_t element = element_bytes(device_.product_type());
    HeadScratch places{};
    for (std::byte** place : {&places.queries, &places.keys, &places.values, &places.dout, &places.result}) {
      *place = take(rows * element);
    }
    places.library = take(products_.front().scratchpad_bytes());
    std::byte* const scores = take(squares * sizeof(float));
    std::byte* const dprobabilities = take(squares * sizeof(float));
    const bool separate = device_.product_type() != Type::float32;
    places.scores = reinterpret_cast<float*>(scores);
    places.dprobabilities = reinterpret_cast<float*>(dprobabilities);
    places.probabilities = separate ? take(squares * element) : scores;
    places.dscores = separate ? take(squares * element) : dprobabilities;
    if (scratch != nullptr) *scratch = places;
    return used;
  }

  template <typename Result>
  static dnnl_status_t multiply(HeadProducts& products, Primitive& product, const HeadScratch& scratch,
                                const std::byte* a, const std::byte* b, Result* c) {
    return product.compute(products.stream.get(), scratch.library,
                           {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, reinterpret_cast<std::byte*>(c)}});
  }

  /// First element of a head's rows in an array [N, T, parts, heads, W], and the distance of its rows.
  std::byte* head_rows(const Array& array, std::int64_t image, std::int64_t head, int part, int parts) const {
    const AttentionDescription& d = description_;
    const std::int64_t element = (image * d.tokens * parts + part) * d.heads * d.head_width + head * d.head_width;
    return array.data() + static_cast<std::size_t>(element) * element_bytes(type_);
  }

  /// One head's rows, together and in the product type.
  void gather(const Array& array, std::int64_t image, std::int64_t head, int part, int parts, std::byte* to) const {
    const std::int64_t width = description_.head_width;
    const auto from_row = static_cast<std::size_t>(parts * description_.heads * width) * element_bytes(type_);
    const auto to_row = static_cast<std::size_t>(width) * element_bytes(device_.product_type());
    const std::byte* from = head_rows(array, image, head, part, parts);
    const bool widen = type_ != device_.product_type();
    for (std::int64_t token = 0; token < description_.tokens; ++token, from += from_row, to += to_row) {
      if (widen) {
        device_.kernels().to_float32(reinterpret_cast<const Bfloat16*>(from), reinterpret_cast<float*>(to), width);
      } else {
        std::copy_n(from, to_row, to);
      }
    }
  }

  /// The mirror of gather.
  void scatter(const std::byte* from, std::int64_t image, std::int64_t head, int part, int parts, Array& array) const {
    const std::int64_t width = description_.head_width;
    const auto to_row = static_cast<std::size_t>(parts * description_.heads * width) * element_bytes(type_);
    const auto from_row = static_cast<std::size_t>(width) * element_bytes(device_.product_type());
    std::byte* to = head_rows(array, image, head, part, parts);
    const bool narrow = type_ != device_.product_type();
    for (std::int64_t token = 0; token < description_.tokens; ++token, from += from_row, to += to_row) {
      if (narrow) {
        device_.kernels().to_bfloat16(reinterpret_cast<const float*>(from), reinterpret_cast<Bfloat16*>(to), width);
      } else {
        std::copy_n(from, from_row, to);
      }
    }
  }

  float* row_sums(const Array& log_sum_exp, std::int64_t image, std::int64_t head) const {
    return reinterpret_cast<float*>(log_sum_exp.data()) + (image * description_.heads + head) * description_.tokens;
  }

  /// P = exp(scale·S − l), l = log Σ exp(scale·S), for each row.
  void softmax(const HeadScratch& scratch, float* log_sum_exp) const {
    const std::int64_t tokens = description_.tokens;
    for (std::int64_t row = 0; row < tokens; ++row) {
      float* const scores = scratch.scores + row * tokens;
      const std::int64_t place = row * tokens;
      const SoftmaxSums sums =
          device_.product_type() == Type::bfloat16
              ? device_.kernels().bfloat16.softmax(scores, scale_, tokens,
                                                   reinterpret_cast<Bfloat16*>(scratch.probabilities) + place)
              : device_.kernels().float32.softmax(scores, scale_, tokens, scores);
      log_sum_exp[row] = scale_ * sums.largest + std::log(sums.sum);
    }
  }

  /// P again, and dS = scale·P ⊙ (dP − Σ P ⊙ dP), for each row.
  void softmax_gradient(const HeadScratch& scratch, const float* log_sum_exp) const {
    const std::int64_t tokens = description_.tokens;
    for (std::int64_t row = 0; row < tokens; ++row) {
      const std::int64_t place = row * tokens;
      float* const scores = scratch.scores + place;
      float* const dprobabilities = scratch.dprobabilities + place;
      if (device_.product_type() == Type::bfloat16) {
        device_.kernels().bfloat16.softmax_gradient(scores, dprobabilities, scale_, log_sum_exp[row], tokens,
                                                    reinterpret_cast<Bfloat16*>(scratch.probabilities) + place,
                                                    reinterpret_cast<Bfloat16*>(scratch.dscores) + place);
      } else {
        device_.kernels().float32.softmax_gradient(scores, dprobabilities, scale_, log_sum_exp[row], tokens, scores,
                                                   dprobabilities);
      }
    }
  }

  void check(const Array& qkv, const Array& out, const Array& log_sum_exp) const {
    const AttentionDescription& d = description_;
    if (qkv.type() == type_ && out.type() == type_ && log_sum_exp.type() == Type::float32 &&
        qkv.shape() == Shape{d.batch, d.tokens, 3, d.heads, d.head_width} &&
        out.shape() == Shape{d.batch, d.tokens, d.heads, d.head_width} &&
        log_sum_exp.shape() == Shape{d.batch, d.heads, d.tokens}) {
      return;
    }
    throw Error(ErrorKind::fault, fmt::format("attention was not prepared for an input {} and an output {}",
                                              qkv.shape().text(), out.shape().text()));
  }

  CpuDevice& device_;
  AttentionDescription description_;
  Type type_;
  float scale_;
  std::vector<HeadProducts> products_;  // one for each thread
};

}  // namespace

std::unique_ptr<Attention> CpuDevice::attention(const AttentionDescription& description) {
  return std::make_unique<CpuAttention>(*this, description);
}

}  // namespace blindspot::cpu
