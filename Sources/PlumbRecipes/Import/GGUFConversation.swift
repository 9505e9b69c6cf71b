import PlumbCheckpoints
import PlumbModels
import PlumbTokenizers

/// How conversations with a model from a GGUF file are laid out, and why so.
struct GGUFConversation {
  let encoder: ConversationEncoder
  /// Sentences for a person: where the file's own template and ours differ.
  let notes: [String]

  /// Chooses ChatML where the file's template is ChatML and the vocabulary has its markers, else
  /// the plain template.
  init(_ file: GGUFFile, _ tokenizer: Tokenizer, _ configuration: DecoderConfiguration) throws {
    let jinja = try file.text("tokenizer.chat_template")
    let ends = configuration.eosTokenIDs.compactMap(tokenizer.token)
    let isMarked = ["<|im_start|>", "<|im_end|>"].allSatisfy { marker in
      jinja?.contains(marker) == true
        && tokenizer.addedTokens.contains { $0.content == marker && $0.isSpecial }
    }
    let padding = configuration.padTokenID.flatMap(tokenizer.token).map { [$0] } ?? []
    let standard = [ConversationEncoder.endOfTextToken].filter { tokenizer.id(of: $0) != nil }
    // In ChatML a text must end with another token than a turn.
    let endOfText = (standard + ends + padding).first {
      !["<|im_start|>", "<|im_end|>"].contains($0)
    }
    if isMarked, let endOfText {
      encoder = try ConversationEncoder(
        tokenizer: tokenizer, template: .chatML, endOfText: endOfText)
      notes =
        jinja?.contains("<|im_start|>system") == true
        ? [
          "the file's own template begins every conversation without a system message with one; "
            + "ours adds none"
        ] : []
      return
    }
    guard let end = ends.first ?? standard.first else {
      throw TokenizerError.missingToken(
        path: file.path, token: ConversationEncoder.endOfTextToken,
        reason: "and the metadata name no eos_token_id")
    }
    encoder = try ConversationEncoder(tokenizer: tokenizer, template: .plain, endOfText: end)
    notes = [
      jinja == nil
        ? "the file has no chat template: conversations are laid out plainly"
        : "the file's chat template is not ChatML: conversations are laid out plainly, which the "
          + "model was not trained on"
    ]
  }
}
