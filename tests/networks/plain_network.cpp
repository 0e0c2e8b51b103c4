// Implementation of plain_network.h.
#include "tests/networks/plain_network.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace blindspot::tests {

namespace {

PlainTensor relu(PlainTensor x) {
  for (double& value : x.values) value = std::max(value, 0.0);
  return x;
}

PlainTensor gelu(PlainTensor x) {
  for (double& value : x.values) value *= 0.5 * std::erfc(-value / std::sqrt(2.0));
  return x;
}

PlainTensor add(PlainTensor a, const PlainTensor& b) {
  for (std::size_t i = 0; i < a.values.size(); ++i) a.values[i] += b.values.at(i);
  return a;
}

PlainTensor max_pool(const PlainTensor& x, std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
  PlainTensor y(x.channels, (x.height + 2 * padding - kernel) / stride + 1,
                (x.width + 2 * padding - kernel) / stride + 1);
  for (std::int64_t c = 0; c < y.channels; ++c) {
    for (std::int64_t row = 0; row < y.height; ++row) {
      for (std::int64_t column = 0; column < y.width; ++column) {
        double largest = -1e300;
        for (std::int64_t i = row * stride - padding; i < row * stride - padding + kernel; ++i) {
          for (std::int64_t j = column * stride - padding; j < column * stride - padding + kernel; ++j) {
            if (i >= 0 && i < x.height && j >= 0 && j < x.width) largest = std::max(largest, x.at(c, i, j));
          }
        }
        y.at(c, row, column) = largest;
      }
    }
  }
  return y;
}

PlainTensor average_pool(const PlainTensor& x, std::int64_t side) {
  PlainTensor y(x.channels, side, side);
  for (std::int64_t c = 0; c < x.channels; ++c) {
    for (std::int64_t row = 0; row < side; ++row) {
      for (std::int64_t column = 0; column < side; ++column) {
        double sum = 0;
        std::int64_t count = 0;
        for (std::int64_t i = row * x.height / side; i < ((row + 1) * x.height + side - 1) / side; ++i) {
          for (std::int64_t j = column * x.width / side; j < ((column + 1) * x.width + side - 1) / side; ++j) {
            sum += x.at(c, i, j);
            ++count;
          }
        }
        y.at(c, row, column) = sum / static_cast<double>(count);
      }
    }
  }
  return y;
}

/// x[:, ::2, ::2] with zero channels before and after.
PlainTensor shortcut_a(const PlainTensor& x, const PlainTensor& like) {
  PlainTensor y(like.channels, like.height, like.width);
  const std::int64_t before = (like.channels - x.channels) / 2;
  for (std::int64_t c = 0; c < x.channels; ++c) {
    for (std::int64_t i = 0; i < y.height; ++i) {
      for (std::int64_t j = 0; j < y.width; ++j) y.at(before + c, i, j) = x.at(c, 2 * i, 2 * j);
    }
  }
  return y;
}

/// [D, h, w] → [h·w, D].
PlainTensor to_tokens(const PlainTensor& x) {
  PlainTensor tokens(x.height * x.width, x.channels, 1);
  for (std::int64_t place = 0; place < tokens.channels; ++place) {
    for (std::int64_t c = 0; c < x.channels; ++c) tokens.at(place, c, 0) = x.at(c, place / x.width, place % x.width);
  }
  return tokens;
}

PlainTensor transposed(const PlainTensor& x) {
  PlainTensor y(x.height, x.channels, 1);
  for (std::int64_t i = 0; i < x.channels; ++i) {
    for (std::int64_t j = 0; j < x.height; ++j) y.at(j, i, 0) = x.at(i, j, 0);
  }
  return y;
}

std::string numbered(const char* before, std::int64_t number, const char* after = "") {
  return before + std::to_string(number) + after;
}

}  // namespace

PlainNetwork::PlainNetwork(Architecture architecture, const weights::StateDict& state,
                           const Preprocessing& preprocessing)
    : architecture_(std::move(architecture)), preprocessing_(preprocessing) {
  for (const auto& tensor : state.tensors()) {
    tensors_[tensor.name] = state.read(tensor.name);
    shapes_[tensor.name] = tensor.shape;
  }
}

std::vector<double> PlainNetwork::logits(const std::vector<double>& image) const {
  const std::int64_t side = preprocessing_.input_size;
  PlainTensor x(3, side, side);
  for (std::size_t i = 0; i < image.size(); ++i) {
    const std::size_t colour = i / static_cast<std::size_t>(side * side);
    const double mean = preprocessing_.mean.at(colour);
    const double deviation = preprocessing_.deviation.at(colour);
    x.values.at(i) = (image[i] - mean) / deviation;
  }
  if (const auto* d = std::get_if<ResNetDescription>(&architecture_.description)) return resnet(*d, x);
  if (const auto* d = std::get_if<CifarResNetDescription>(&architecture_.description)) return cifar_resnet(*d, x);
  if (const auto* d = std::get_if<WideResNetDescription>(&architecture_.description)) return wide_resnet(*d, x);
  if (const auto* d = std::get_if<VisionTransformerDescription>(&architecture_.description)) return transformer(*d, x);
  return alexnet(x);
}

double PlainNetwork::cross_entropy(const std::vector<double>& image, std::int64_t target) const {
  const std::vector<double> scores = logits(image);
  const double largest = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (const double score : scores) sum += std::exp(score - largest);
  return largest + std::log(sum) - scores.at(static_cast<std::size_t>(target));
}

PlainTensor PlainNetwork::convolution(const PlainTensor& x, const std::string& name, std::int64_t stride,
                                      std::int64_t padding) const {
  const std::vector<float>& weight = read(name + ".weight");
  const std::int64_t outputs = shapes_.at(name + ".weight").at(0);
  const std::int64_t kernel = shapes_.at(name + ".weight").at(2);
  PlainTensor y(outputs, (x.height + 2 * padding - kernel) / stride + 1, (x.width + 2 * padding - kernel) / stride + 1);
  for (std::int64_t k = 0; k < outputs; ++k) {
    const double bias =
        has(name + ".bias") ? static_cast<double>(read(name + ".bias").at(static_cast<std::size_t>(k))) : 0.0;
    for (std::int64_t row = 0; row < y.height; ++row) {
      for (std::int64_t column = 0; column < y.width; ++column) {
        double sum = bias;
        for (std::int64_t c = 0; c < x.channels; ++c) {
          for (std::int64_t i = 0; i < kernel; ++i) {
            const std::int64_t from_row = row * stride - padding + i;
            if (from_row < 0 || from_row >= x.height) continue;
            for (std::int64_t j = 0; j < kernel; ++j) {
              const std::int64_t from_column = column * stride - padding + j;
              if (from_column < 0 || from_column >= x.width) continue;
              const std::int64_t place = ((k * x.channels + c) * kernel + i) * kernel + j;
              sum += static_cast<double>(weight[static_cast<std::size_t>(place)]) * x.at(c, from_row, from_column);
            }
          }
        }
        y.at(k, row, column) = sum;
      }
    }
  }
  return y;
}

PlainTensor PlainNetwork::batch_norm(PlainTensor x, const std::string& name) const {
  const std::int64_t area = x.height * x.width;
  for (std::int64_t c = 0; c < x.channels; ++c) {
    const auto channel = static_cast<std::size_t>(c);
    const double mean = read(name + ".running_mean").at(channel);
    const double deviation = std::sqrt(static_cast<double>(read(name + ".running_var").at(channel)) + 1e-5);
    const double scale = read(name + ".weight").at(channel);
    const double shift = read(name + ".bias").at(channel);
    for (std::int64_t i = 0; i < area; ++i) {
      double& value = x.values[static_cast<std::size_t>(c * area + i)];
      value = (value - mean) / deviation * scale + shift;
    }
  }
  return x;
}

PlainTensor PlainNetwork::channel_norm(PlainTensor x, const std::string& name, double epsilon) const {
  const auto area = static_cast<std::size_t>(x.height * x.width);
  const auto channels = static_cast<std::size_t>(x.channels);
  for (std::size_t i = 0; i < area; ++i) {
    double mean = 0;
    double variance = 0;
    for (std::size_t c = 0; c < channels; ++c) mean += x.values[c * area + i] / static_cast<double>(channels);
    for (std::size_t c = 0; c < channels; ++c) {
      const double difference = x.values[c * area + i] - mean;
      variance += difference * difference / static_cast<double>(channels);
    }
    for (std::size_t c = 0; c < channels; ++c) {
      double& value = x.values[c * area + i];
      value = (value - mean) / std::sqrt(variance + epsilon) * static_cast<double>(read(name + ".weight").at(c)) +
              static_cast<double>(read(name + ".bias").at(c));
    }
  }
  return x;
}

std::vector<double> PlainNetwork::linear(const std::vector<double>& x, const std::string& name) const {
  const std::vector<float>& weight = read(name + ".weight");
  const std::vector<float>& bias = read(name + ".bias");
  std::vector<double> y(bias.begin(), bias.end());
  for (std::size_t row = 0; row < y.size(); ++row) {
    for (std::size_t i = 0; i < x.size(); ++i) y[row] += static_cast<double>(weight.at(row * x.size() + i)) * x[i];
  }
  return y;
}

PlainTensor PlainNetwork::tokens_linear(const PlainTensor& x, const std::string& name) const {
  PlainTensor y(x.channels, shapes_.at(name + ".weight").at(0), 1);
  for (std::int64_t token = 0; token < x.channels; ++token) {
    const auto from = x.values.begin() + token * x.height;
    const std::vector<double> row = linear({from, from + x.height}, name);
    std::copy(row.begin(), row.end(), y.values.begin() + token * y.height);
  }
  return y;
}

PlainTensor PlainNetwork::attention(const PlainTensor& qkv, std::int64_t heads) const {
  const std::int64_t tokens = qkv.channels;
  const std::int64_t width = qkv.height / 3;
  const std::int64_t head_width = width / heads;
  PlainTensor out(tokens, width, 1);
  for (std::int64_t head = 0; head < heads; ++head) {
    for (std::int64_t q = 0; q < tokens; ++q) {
      std::vector<double> share(static_cast<std::size_t>(tokens));
      double sum = 0;
      for (std::int64_t k = 0; k < tokens; ++k) {
        double dot = 0;
        for (std::int64_t i = head * head_width; i < (head + 1) * head_width; ++i) {
          dot += qkv.at(q, i, 0) * qkv.at(k, width + i, 0);
        }
        share[static_cast<std::size_t>(k)] = std::exp(dot / std::sqrt(static_cast<double>(head_width)));
        sum += share[static_cast<std::size_t>(k)];
      }
      for (std::int64_t k = 0; k < tokens; ++k) {
        for (std::int64_t i = head * head_width; i < (head + 1) * head_width; ++i) {
          out.at(q, i, 0) += share[static_cast<std::size_t>(k)] / sum * qkv.at(k, 2 * width + i, 0);
        }
      }
    }
  }
  return out;
}

std::vector<double> PlainNetwork::resnet(const ResNetDescription& description, const PlainTensor& image) const {
  PlainTensor x = max_pool(relu(batch_norm(convolution(image, "conv1", 2, 3), "bn1")), 3, 2, 1);
  for (std::int64_t stage = 0; stage < 4; ++stage) {
    for (std::int64_t i = 0; i < description.blocks.at(static_cast<std::size_t>(stage)); ++i) {
      const std::string block = numbered("layer", stage + 1, ".") + std::to_string(i);
      const std::int64_t stride = stage > 0 && i == 0 ? 2 : 1;
      PlainTensor h;
      if (description.bottleneck) {
        h = relu(batch_norm(convolution(x, block + ".conv1", 1, 0), block + ".bn1"));
        h = relu(batch_norm(convolution(h, block + ".conv2", stride, 1), block + ".bn2"));
        h = batch_norm(convolution(h, block + ".conv3", 1, 0), block + ".bn3");
      } else {
        h = relu(batch_norm(convolution(x, block + ".conv1", stride, 1), block + ".bn1"));
        h = batch_norm(convolution(h, block + ".conv2", 1, 1), block + ".bn2");
      }
      if (has(block + ".downsample.0.weight")) {
        x = batch_norm(convolution(x, block + ".downsample.0", stride, 0), block + ".downsample.1");
      }
      x = relu(add(std::move(h), x));
    }
  }
  return linear(average_pool(x, 1).values, "fc");
}

std::vector<double> PlainNetwork::cifar_resnet(const CifarResNetDescription& description,
                                               const PlainTensor& image) const {
  PlainTensor x = relu(batch_norm(convolution(image, "conv1", 1, 1), "bn1"));
  for (std::int64_t stage = 0; stage < 3; ++stage) {
    for (std::int64_t i = 0; i < (description.depth - 2) / 6; ++i) {
      const std::string block = numbered("layer", stage + 1, ".") + std::to_string(i);
      const std::int64_t stride = stage > 0 && i == 0 ? 2 : 1;
      PlainTensor h = relu(batch_norm(convolution(x, block + ".conv1", stride, 1), block + ".bn1"));
      h = batch_norm(convolution(h, block + ".conv2", 1, 1), block + ".bn2");
      if (stride == 2) x = shortcut_a(x, h);
      x = relu(add(std::move(h), x));
    }
  }
  return linear(average_pool(x, 1).values, "linear");
}

std::vector<double> PlainNetwork::wide_resnet(const WideResNetDescription& description,
                                              const PlainTensor& image) const {
  PlainTensor x = convolution(image, "conv1", 1, 1);
  for (std::int64_t stage = 0; stage < 3; ++stage) {
    for (std::int64_t i = 0; i < (description.depth - 4) / 6; ++i) {
      const std::string block = numbered("block", stage + 1, ".layer.") + std::to_string(i);
      const std::int64_t stride = stage > 0 && i == 0 ? 2 : 1;
      const PlainTensor a = relu(batch_norm(x, block + ".bn1"));
      PlainTensor h = relu(batch_norm(convolution(a, block + ".conv1", stride, 1), block + ".bn2"));
      h = convolution(h, block + ".conv2", 1, 1);
      if (has(block + ".convShortcut.weight")) x = convolution(a, block + ".convShortcut", stride, 0);
      x = add(std::move(h), x);
    }
  }
  return linear(average_pool(relu(batch_norm(std::move(x), "bn1")), 1).values, "fc");
}

std::vector<double> PlainNetwork::transformer(const VisionTransformerDescription& description,
                                              const PlainTensor& image) const {
  const double epsilon = description.layer_norm_epsilon;
  const auto norm = [&](const PlainTensor& tokens, const std::string& name) {
    return transposed(channel_norm(transposed(tokens), name, epsilon));
  };
  PlainTensor patches = image;
  if (description.convolution_stem) {
    for (std::int64_t stage = 0; stage < 4; ++stage) {
      patches = convolution(patches, numbered("patch_embed.proj.stem.", 3 * stage), 2, 1);
      patches = gelu(channel_norm(std::move(patches), numbered("patch_embed.proj.stem.", 3 * stage + 1), epsilon));
    }
    patches = convolution(patches, "patch_embed.proj.stem.12", 1, 0);
  } else {
    patches = convolution(patches, "patch_embed.proj", description.patch, 0);
  }
  const PlainTensor patch_tokens = to_tokens(patches);
  PlainTensor tokens(1 + patch_tokens.channels, description.width, 1);
  for (std::int64_t token = 0; token < tokens.channels; ++token) {
    for (std::int64_t i = 0; i < description.width; ++i) {
      const double value = token == 0 ? static_cast<double>(read("cls_token").at(static_cast<std::size_t>(i)))
                                      : patch_tokens.at(token - 1, i, 0);
      const auto place = static_cast<std::size_t>(token * description.width + i);
      tokens.at(token, i, 0) = value + static_cast<double>(read("pos_embed").at(place));
    }
  }
  for (std::int64_t i = 0; i < description.depth; ++i) {
    const std::string block = numbered("blocks.", i);
    const PlainTensor qkv = tokens_linear(norm(tokens, block + ".norm1"), block + ".attn.qkv");
    tokens = add(std::move(tokens), tokens_linear(attention(qkv, description.heads), block + ".attn.proj"));
    PlainTensor h = gelu(tokens_linear(norm(tokens, block + ".norm2"), block + ".mlp.fc1"));
    tokens = add(std::move(tokens), tokens_linear(h, block + ".mlp.fc2"));
  }
  tokens = norm(tokens, "norm");
  return linear({tokens.values.begin(), tokens.values.begin() + description.width}, "head");
}

std::vector<double> PlainNetwork::alexnet(const PlainTensor& image) const {
  PlainTensor x = max_pool(relu(convolution(image, "features.0", 4, 2)), 3, 2, 0);
  x = max_pool(relu(convolution(x, "features.3", 1, 2)), 3, 2, 0);
  x = relu(convolution(x, "features.6", 1, 1));
  x = relu(convolution(x, "features.8", 1, 1));
  x = max_pool(relu(convolution(x, "features.10", 1, 1)), 3, 2, 0);
  std::vector<double> hidden = average_pool(x, 6).values;
  for (const char* name : {"classifier.1", "classifier.4"}) {
    hidden = linear(hidden, name);
    for (double& value : hidden) value = std::max(value, 0.0);
  }
  return linear(hidden, "classifier.6");
}

}  // namespace blindspot::tests
