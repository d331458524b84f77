// The tokens that can still be drawn, while samplers cut and reweigh them.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace lathe::generate {

struct Candidate {
  std::int32_t id;
  float logit;
  double p;  // by softmax(); stale once logits or the set change
};

/// An amount that is added to the logit of a token; -infinity forbids it.
struct LogitBias {
  std::int32_t id;
  double amount;
};

/// Candidates in a known order. Samplers that need only the best k select these from the
/// vocabulary; all that follows then costs O(k).
class Candidates {
 public:
  enum class Order { kById, kFalling, kNone };

  /// Ids 0.. with their logits; those that are NaN or -infinity cannot be drawn and are left out.
  /// Throws Internal where none remains.
  Candidates(std::span<const float> logits, std::span<const LogitBias> bias);

  /// Only the k >= 1 likeliest, in falling order: what keep_likeliest(k) leaves of all, without a
  /// list of all.
  static Candidates likeliest_of(std::span<const float> logits, std::size_t k);

  std::vector<Candidate> items;
  Order order = Order::kById;

  /// Sorts the k likeliest to the front and drops the rest. Equal logits stand by ascending id.
  void keep_likeliest(std::size_t k);
  /// Sorts all by falling logit.
  void sort() { keep_likeliest(items.size()); }
  /// Sorts at least the first n, which may be more than there are; the order of the rest is open.
  void sort_first(std::size_t n);
  /// Fills p; sums run in f64 in the present order.
  void softmax();
  /// Index of the likeliest, the lowest id of equals.
  std::size_t likeliest() const;
  /// The candidate of an id, or null. O(log n) while the order is by id, otherwise O(n).
  Candidate* find(std::int32_t id);

 private:
  Candidates() = default;
};

}  // namespace lathe::generate
