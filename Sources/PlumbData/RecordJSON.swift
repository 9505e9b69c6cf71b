public import PlumbCheckpoints
import PlumbTokenizers

/// Records as the JSON that the readers of this module read back.
protocol JSONRepresentable {
  var json: JSONValue { get }
}

extension Message: JSONRepresentable {
  var json: JSONValue {
    .object([
      JSONField(key: "role", value: .string(role)),
      JSONField(key: "content", value: .string(content)),
    ])
  }
}

/// The fields that every record begins with.
private func opening(_ id: String, _ source: String) -> [JSONField] {
  [
    JSONField(key: "id", value: .string(id)),
    JSONField(key: "source", value: .string(source)),
  ]
}

private func turns(_ messages: [Message]) -> JSONValue { .array(messages.map(\.json)) }

extension PreferencePair: JSONRepresentable {
  var json: JSONValue {
    var fields = opening(id, source)
    fields.append(JSONField(key: "messages", value: turns(prompt)))
    fields.append(JSONField(key: "chosen", value: .string(chosen)))
    fields.append(JSONField(key: "rejected", value: .string(rejected)))
    if let margin { fields.append(JSONField(key: "margin", value: .number(margin))) }
    if let group { fields.append(JSONField(key: "group", value: .string(group))) }
    if let probability {
      fields.append(JSONField(key: "probability", value: .number(probability)))
    }
    return .object(fields)
  }
}

extension PreferencePair {
  /// The row as data files have it, with further fields behind its own; readers of pairs ignore them.
  public func json(adding fields: [JSONField]) -> JSONValue {
    .object((json.object ?? []) + fields)
  }
}

extension Demonstration: JSONRepresentable {
  var json: JSONValue {
    .object(opening(id, source) + [JSONField(key: "messages", value: turns(messages))])
  }
}

extension UnpairedRow: JSONRepresentable {
  var json: JSONValue {
    .object(
      opening(id, source) + [
        JSONField(key: "prompt", value: turns(prompt)),
        JSONField(key: "completion", value: .string(response)),
        JSONField(key: "label", value: .bool(label)),
      ])
  }
}

extension PromptRow: JSONRepresentable {
  var json: JSONValue {
    var fields = opening(id, source) + [JSONField(key: "prompt", value: turns(prompt))]
    if let answer { fields.append(JSONField(key: "answer", value: .string(answer))) }
    return .object(fields)
  }
}

extension TextRow: JSONRepresentable {
  var json: JSONValue {
    let field =
      switch content {
      case .text(let text): JSONField(key: "text", value: .string(text))
      case .messages(let messages): JSONField(key: "messages", value: turns(messages))
      }
    return .object(opening(id, source) + [field])
  }
}
