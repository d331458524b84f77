#include "lathe/text/tokenize/splitter.h"

#include "lathe/text/tokenize/scan.h"

namespace lathe::tokenize {
namespace {

class WholeSplitter final : public Splitter {
 public:
  void split(std::string_view text, SpanSink& sink) const override {
    if (!text.empty()) sink.add(0, text.size());
    sink.flush();
  }
};

/// Cuts each piece again and passes the parts on with their place in the whole text.
class Recut final : public SpanSink {
 public:
  Recut(std::string_view text, const Splitter& next, SpanSink& out)
      : text_(text), next_(next), out_(out) {}

 protected:
  void take(std::span<const Span> spans) override {
    for (const Span span : spans) {
      Shift shift(out_, span.begin);
      next_.split(text_.substr(span.begin, span.end - span.begin), shift);
    }
  }

 private:
  class Shift final : public SpanSink {
   public:
    Shift(SpanSink& out, std::size_t by) : out_(out), by_(by) {}

   protected:
    void take(std::span<const Span> spans) override {
      for (const Span span : spans) out_.add(span.begin + by_, span.end + by_);
    }

   private:
    SpanSink& out_;
    std::size_t by_;
  };

  std::string_view text_;
  const Splitter& next_;
  SpanSink& out_;
};

class Chain final : public Splitter {
 public:
  Chain(std::unique_ptr<Splitter> first, std::unique_ptr<Splitter> rest)
      : first_(std::move(first)), rest_(std::move(rest)) {}

  void split(std::string_view text, SpanSink& sink) const override {
    Recut recut(text, *rest_, sink);
    first_->split(text, recut);
    sink.flush();
  }

 private:
  std::unique_ptr<Splitter> first_, rest_;
};

class Collect final : public SpanSink {
 public:
  explicit Collect(std::string_view text) : text_(text) {}
  std::vector<std::string> pieces;

 protected:
  void take(std::span<const Span> spans) override {
    for (const Span s : spans) pieces.emplace_back(text_.substr(s.begin, s.end - s.begin));
  }

 private:
  std::string_view text_;
};

}  // namespace

std::unique_ptr<Splitter> make_whole_splitter() { return std::make_unique<WholeSplitter>(); }

std::unique_ptr<Splitter> make_chain(std::vector<std::unique_ptr<Splitter>> parts) {
  if (parts.empty()) return make_whole_splitter();
  std::unique_ptr<Splitter> chain = std::move(parts.back());
  for (std::size_t i = parts.size() - 1; i-- > 0;)
    chain = std::make_unique<Chain>(std::move(parts[i]), std::move(chain));
  return chain;
}

std::vector<std::string> pieces_of(const Splitter& splitter, std::string_view text) {
  Collect collect(text);
  splitter.split(text, collect);
  return std::move(collect.pieces);
}

}  // namespace lathe::tokenize
