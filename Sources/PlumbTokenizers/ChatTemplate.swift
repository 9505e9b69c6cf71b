/// How a conversation is laid out as text.
public enum ChatTemplate: String, Codable, Sendable, CaseIterable {
  /// `<|im_start|>role`, the content and `<|im_end|>` for each turn, as Qwen2 and SmolLM2 have it.
  case chatML = "chatml"
  /// The contents with empty lines between and behind them: for base models without markers.
  case plain

  /// The template in Jinja, for `chat_template` of `tokenizer_config.json`; transformers renders
  /// with it what `ConversationEncoder` encodes.
  public var jinja: String {
    switch self {
    case .chatML:
      "{% for message in messages %}"
        + "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
        + "{% endfor %}"
        + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
    case .plain:
      "{{ messages | map(attribute='content') | join('\\n\\n') + '\\n\\n' }}"
    }
  }

  /// The markers that the vocabulary must hold as tokens, in the order start, end of a turn.
  var markers: [String] {
    switch self {
    case .chatML: ["<|im_start|>", "<|im_end|>"]
    case .plain: []
    }
  }
}
