// The protocol buffer of a SentencePiece `.model` file.
#include "lathe/text/tokenize/protobuf.h"
#include "lathe/text/tokenize/sentencepiece.h"
#include "lathe/text/tokenize/unicode.h"

namespace lathe::tokenize {
namespace {

SentencePieceSpec::Piece read_piece(std::string_view bytes) {
  SentencePieceSpec::Piece piece;
  ProtoMessage message(bytes, "sentencepiece model: piece");
  while (message.next()) {
    if (message.field() == 1) piece.text = message.bytes();
    if (message.field() == 2) piece.score = message.number();
    if (message.field() != 3) continue;
    const std::int32_t type = message.int32();
    if (type < 1 || type > 6)
      fail(ErrorCode::kCorrupt, "sentencepiece model: expected a piece of type 1 to 6, got {}",
           type);
    piece.type = static_cast<TokenType>(type);
  }
  return piece;
}

void read_trainer(std::string_view bytes, SentencePieceSpec& spec) {
  constexpr std::int32_t kUnigram = 1, kBpe = 2;
  std::int32_t model_type = kUnigram;
  ProtoMessage message(bytes, "sentencepiece model: trainer_spec");
  while (message.next()) {
    switch (message.field()) {
      case 3:
        model_type = message.int32();
        break;
      case 24:
        spec.whitespace_as_suffix = message.flag();
        break;
      case 35:
        spec.byte_fallback = message.flag();
        break;
      case 40:
        spec.unknown = message.int32();
        break;
      case 41:
        spec.bos = message.int32();
        break;
      case 42:
        spec.eos = message.int32();
        break;
      case 43:
        spec.padding = message.int32();
        break;
      default:
        break;
    }
  }
  if (model_type != kUnigram && model_type != kBpe)
    fail(ErrorCode::kUnsupported, "sentencepiece model: expected unigram or bpe, got type {}",
         model_type);
  spec.unigram = model_type == kUnigram;
}

void read_normalizer_spec(std::string_view bytes, SentencePieceSpec& spec) {
  ProtoMessage message(bytes, "sentencepiece model: normalizer_spec");
  while (message.next()) {
    if (message.field() == 2) spec.charsmap = message.bytes();
    if (message.field() == 3) spec.add_dummy_prefix = message.flag();
    if (message.field() == 4) spec.remove_extra_whitespaces = message.flag();
    if (message.field() == 5) spec.escape_whitespaces = message.flag();
  }
}

/// The piece of a role: the id that the file says, where that is of the right type.
std::int32_t control_id(const SentencePieceSpec& spec, std::int32_t id) {
  const bool inside = id >= 0 && id < std::ssize(spec.pieces);
  return inside && spec.pieces[static_cast<std::size_t>(id)].type == TokenType::kControl ? id : -1;
}

}  // namespace

SentencePieceSpec read_sentencepiece(std::string_view bytes) {
  SentencePieceSpec spec;
  spec.unigram = true;
  spec.bos = 1, spec.eos = 2;  // defaults of the trainer
  ProtoMessage message(bytes, "sentencepiece model");
  while (message.next()) {
    if (message.field() == 1) spec.pieces.push_back(read_piece(message.bytes()));
    if (message.field() == 2) read_trainer(message.bytes(), spec);
    if (message.field() == 3) read_normalizer_spec(message.bytes(), spec);
  }
  spec.bos = control_id(spec, spec.bos);
  spec.eos = control_id(spec, spec.eos);
  spec.padding = control_id(spec, spec.padding);
  spec.unknown = -1;
  for (std::size_t id = 0; id < spec.pieces.size(); ++id)
    if (spec.pieces[id].type == TokenType::kUnknown) spec.unknown = static_cast<std::int32_t>(id);
  if (spec.unknown < 0)
    fail(ErrorCode::kCorrupt, "sentencepiece model: expected a piece of type UNKNOWN, got none");
  return spec;
}

std::unique_ptr<Tokenizer> parse_sentencepiece(std::string_view bytes) {
  SentencePieceSpec spec = read_sentencepiece(bytes);
  spec.add_bos = spec.bos >= 0;
  return std::make_unique<SentencePiece>(std::move(spec));
}

}  // namespace lathe::tokenize
