// The interface that training, generation and evaluation share: ids in, hidden states or logits
// out.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lathe/base/fields.h"
#include "lathe/engine/autograd/parameter.h"
#include "lathe/engine/kernels/kv_layout.h"
#include "lathe/engine/tensor/tensor.h"

namespace lathe::model {

/// How rotary frequencies are changed to reach beyond the context that they were trained for.
/// Formulas and sources: nn/rope.h.
struct RopeScaling {
  std::string kind = "none";          // none, linear, dynamic, yarn, llama3, longrope
  double factor = 0;                  // 0: context / original_context
  std::int64_t original_context = 0;  // tokens; 0: model.context
  double attention_factor = 0;        // of cosines and sines; 0: by the formula of the kind
  double low_frequency_factor = 1, high_frequency_factor = 4;  // llama3
  double beta_fast = 32, beta_slow = 1;                        // yarn: turns in original_context
  double mscale = 0, mscale_all_dim = 0;                       // yarn; 0: unused
  bool truncate = true;                                        // yarn: whole borders of the ramp
  std::vector<double> short_factor, long_factor;  // longrope: divisors, one a frequency

  bool present() const { return kind != "none"; }
  void fields(Fields& f);
};

/// The shape of a network, in the words of the [model] table. Zeros and empty texts stand for what
/// the kind does; resolve() fills them.
struct ModelConfig {
  std::string kind = "llama";
  std::int64_t vocab = 0;    // rows of the embedding; 0: from the tokenizer
  std::int64_t context = 0;  // positions it is made for; 0: train.context
  std::int64_t layers = 6;
  std::int64_t width = 320;
  std::int64_t heads = 5;
  std::int64_t kv_heads = 0;   // 0: heads
  std::int64_t head_size = 0;  // 0: width / heads
  std::int64_t hidden = 0;     // 0: 4 width (gpt2), 8/3 width rounded up to 32 (llama)
  bool tied = true;
  bool attention_bias = false;  // q, k, v and o; gpt2 always has biases, qwen2 those of q, k, v
  bool mlp_bias = false;
  std::string activation;                 // silu, gelu (by erf), gelu_tanh, relu
  double rope_theta = 10000.0;            // base of the rotary frequencies
  double rope_fraction = 1.0;             // part of each head that is turned
  RopeScaling rope_scaling;               // of all layers, or (gemma3) of those without window
  double rope_local_theta = 0;            // of layers with a window; 0: as rope_theta
  RopeScaling rope_local_scaling;         // of layers with a window, where rope_local_theta is set
  std::vector<std::int64_t> rope_layers;  // 0 or 1 for each layer; empty: all turn
  std::int64_t window = 0;                // keys that a query sees, itself included; 0: all
  std::vector<std::int64_t> window_layers;  // 0 or 1 for each layer; empty: as the kind does
  double query_scalar = 0;                  // scores are divided by its root; 0: head_size
  bool scale_by_layer = false;              // gpt2: scores are divided by the layer's number, too
  double attention_cap = 0;                 // scores become cap tanh(s / cap); 0: no cap
  double logit_cap = 0;                     // the same for logits
  bool parallel_residual = true;            // gpt_neox: attention and MLP read the same input
  double norm_eps = 1e-5;
  double init_std = 0.02;

  void fields(Fields& f);
  /// Fills the zeros and checks the rest. Throws InvalidArgument naming the key, what it is and
  /// what would work.
  void resolve();

  std::int64_t head_width() const { return head_size; }
  /// Facts of layer i, after resolve().
  bool turns(std::int64_t layer) const;              // has rotary positions
  std::int64_t window_of(std::int64_t layer) const;  // 0: sees all keys
  std::int64_t rotated() const;                      // elements that turn; odd: and the next one
};

/// Host ids as tensors. document_start holds, for each token, the index in its row of the first
/// token of its document: attention cannot be called without it.
struct TokenBatch {
  Tensor ids, positions, document_start;  // i32 [B,T]

  static TokenBatch from(std::int64_t rows, std::int64_t width, const std::int32_t* ids,
                         const std::int32_t* positions, const std::int32_t* document_start);
  /// One document a row, from position `first` on.
  static TokenBatch plain(const std::vector<std::vector<std::int32_t>>& rows,
                          std::int64_t first = 0);
  static TokenBatch meta(std::int64_t rows, std::int64_t width);
};

/// What a model remembers between steps of generation: KV cache, SSM state, ...
class ModelState {
 public:
  virtual ~ModelState() = default;
  virtual std::int64_t rows() const = 0;
  virtual std::int64_t length() const = 0;    // tokens so far
  virtual std::int64_t capacity() const = 0;  // tokens that fit
  virtual std::int64_t bytes() const = 0;     // of memory in use
  /// Before the ops of a step: room for `tokens` more in each of `rows` rows.
  /// Throws InvalidArgument when they do not fit.
  virtual void open(std::int64_t rows, std::int64_t tokens) = 0;
  /// After them: so many more tokens a row are in.
  virtual void advance(std::int64_t tokens) = 0;
  /// A fingerprint of the memory that ops of a step reach; another one when it has moved.
  virtual std::uint64_t memory() const = 0;
  /// Forgets all tokens after the first n, or all tokens where layers with a window have given back
  /// what those that come next would see. Returns how many are left.
  virtual std::int64_t truncate(std::int64_t n) = 0;
  /// Row i becomes what row rows[i] was. There may be more or fewer rows than before, at most those
  /// that the state was made for; what rows have in common is stored once.
  virtual void select_rows(std::span<const std::int32_t> rows) = 0;
};

/// Of which tokens of a batch hidden states are wanted. For the last one alone, the last block
/// leaves out what only the others would read.
enum class Wanted : std::uint8_t { all, last };

class LanguageModel {
 public:
  virtual ~LanguageModel() = default;

  const ModelConfig& config() const { return config_; }

  /// Final hidden states, ready for the head. With a state the batch continues it.
  /// Shapes: ids [B,T] -> [B,T,C], or [B,1,C] of the last token, in the compute type. Throws
  /// InvalidArgument when the state is full.
  virtual Tensor hidden(const TokenBatch& batch, ModelState* state = nullptr,
                        Wanted wanted = Wanted::all) = 0;

  /// The ops of hidden() alone, which a graph may capture: the state is open for the batch, and
  /// whoever calls this advances it.
  virtual Tensor layers(const TokenBatch& batch, ModelState* state, Wanted wanted) = 0;
  /// Makes what the ops of a step behind `state` read besides (tables, weights) and returns a
  /// fingerprint of it: captured steps of `tokens` tokens hold as long as it stays the same. None:
  /// such steps differ each time, hidden() has to run.
  virtual std::optional<std::uint64_t> step_key(const ModelState& state, std::int64_t tokens) = 0;

  /// The projection to the vocabulary: parameter and which use of it. Shapes: [V,C].
  struct Head {
    autograd::Parameter* weight;
    int use;
  };
  virtual Head head() = 0;

  /// Shapes: hidden [...,C] -> f32 [...,V].
  Tensor logits(const Tensor& hidden);

  virtual std::unique_ptr<ModelState> make_state(std::int64_t rows, std::int64_t capacity) = 0;

  /// What states made from now on hold keys and values in; none: the compute type, as in training.
  void set_cache_type(std::optional<kernels::KvType> type) { cache_type_ = type; }
  kernels::KvType cache_type() const {
    return cache_type_.value_or(compute_ == DType::bf16 ? kernels::KvType::bf16
                                                        : kernels::KvType::f32);
  }

  /// Every parameter once, in graph order.
  const std::vector<autograd::Parameter*>& parameters() const { return parameters_; }
  autograd::Parameter* find(const std::string& name) const;
  std::int64_t parameter_count() const;

  /// Whether blocks keep only their input for the backward pass and run again in it.
  void set_recompute(bool recompute) { recompute_ = recompute; }
  bool recomputes() const { return recompute_; }

  /// Whether the layers of blocks multiply in int8 (Parameter::int8), activations and gradients of
  /// inputs; embedding and head never do. Weights keep the type they are computed in.
  void set_int8(bool int8);

  /// Inference: Parameter::encode of every matrix that is multiplied by, if half of the memory that
  /// is left holds the codes. What follows is faster and keeps its bits. parts: only so much that
  /// as many calls do all of it.
  void encode_weights(int parts = 1);
  /// Inference, before so many tokens pass: encodes the weights once that is likely to pay, a part
  /// each time, so that nobody waits for all of it. It takes as long as some forty steps or two
  /// long chunks of a prompt gain by it.
  void expect_pass(std::int64_t tokens);

  DType compute() const { return compute_; }
  Device device() const { return device_; }

 protected:
  explicit LanguageModel(ModelConfig config) : config_(std::move(config)) {}
  friend std::unique_ptr<LanguageModel> build(const ModelConfig&, DType, Device);
  friend std::unique_ptr<LanguageModel> build_empty(const ModelConfig&, DType);
  virtual void visit(
      const std::function<void(const std::string&, autograd::Parameter&)>& visit) = 0;

  ModelConfig config_;
  bool recompute_ = false;
  std::size_t encoded_ = 0;  // so many parameters have been asked to encode
  std::int64_t passes_ = 0;  // a long chunk counts eight
  std::optional<kernels::KvType> cache_type_;
  DType compute_ = DType::f32;
  Device device_ = Device::cpu;
  std::vector<autograd::Parameter*> parameters_;
};

/// A model of config.kind with allocated, undefined weights. Throws InvalidArgument with the
/// nearest kind when there is none of that name.
std::unique_ptr<LanguageModel> build(const ModelConfig& config, DType compute,
                                     Device device = Device::cpu);

/// The same without memory for the weights, which are to be lent by Parameter::adopt (weights.h).
std::unique_ptr<LanguageModel> build_empty(const ModelConfig& config, DType compute);

/// Fills what the kind of a network lays down and checks what it needs; part of resolve().
void complete_kind(ModelConfig& config);

/// Names of the list in zoo/zoo_list.inc.
std::vector<std::string> kinds();

/// Starting weights as published for the kind, a function of (seed, parameter name).
void initialise(LanguageModel& model, std::uint64_t seed);

}  // namespace lathe::model
