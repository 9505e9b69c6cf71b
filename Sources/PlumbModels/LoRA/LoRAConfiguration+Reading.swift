import PlumbCheckpoints

extension LoRAConfiguration {
  /// Reads peft's `adapter_config.json`; everything that changes what the adapter computes and is
  /// not implemented is refused by name.
  /// - Throws: `LoRAError.unsupported`, or `ModelError` for a value of the wrong type.
  init(_ json: JSONObject) throws {
    func refuse(_ key: String, _ supported: String) -> LoRAError {
      .unsupported(
        path: json.path, key: key, found: json.value(key)?.named ?? "nothing",
        supported: supported)
    }
    guard try json.string("peft_type").uppercased() == "LORA" else {
      throw refuse("peft_type", "LORA")
    }
    guard try json.string("task_type", default: "CAUSAL_LM") == "CAUSAL_LM" else {
      throw refuse("task_type", "CAUSAL_LM")
    }
    guard try json.string("bias", default: "none") == "none" else { throw refuse("bias", "none") }
    for key in json.values.keys.sorted() where !Self.knownKeys.contains(key) {
      if let value = json.value(key), value.isActive { throw refuse(key, "it to be absent") }
    }
    // Some ways to initialize also change the base, which then is not the one that is named.
    if let value = json.value("init_lora_weights"), value.bool == nil,
      !["gaussian", "orthogonal", "eva"].contains(value.string ?? "")
    {
      throw refuse("init_lora_weights", "true, false, gaussian, orthogonal or eva")
    }
    self.init(
      rank: try json.positiveInteger("r"), alpha: try json.positiveNumber("lora_alpha"),
      targetModules: try Self.targets(json),
      isRankStabilized: try json.boolean("use_rslora", default: false))
  }

  /// Keys that are read, and those that change nothing in how an adapter acts.
  private static let knownKeys: Set = [
    "peft_type", "task_type", "bias", "init_lora_weights", "r", "lora_alpha", "target_modules",
    "use_rslora", "base_model_name_or_path", "revision", "inference_mode", "lora_dropout",
    "fan_in_fan_out", "peft_version", "auto_mapping", "megatron_core", "qalora_group_size",
    "eva_config", "runtime_config", "ensure_weight_tying",
  ]

  private static func targets(_ json: JSONObject) throws -> [String] {
    guard let value = json.value("target_modules") else {
      throw ModelError.missingKey(path: json.path, key: "target_modules")
    }
    let expected = "a list of module names, or \"all-linear\""
    if let text = value.string {
      guard text == "all-linear" else {
        throw json.invalid("target_modules", expected: expected, found: value)
      }
      return []
    }
    let names = (value.array ?? []).compactMap(\.string)
    guard !names.isEmpty, names.count == value.array?.count else {
      throw json.invalid("target_modules", expected: expected, found: value)
    }
    return names.sorted()
  }
}

extension JSONValue {
  /// Whether the value switches a feature on: neither null, false, 0 nor empty.
  fileprivate var isActive: Bool {
    switch self {
    case .null: false
    case .bool(let value): value
    case .integer(let value): value != 0
    case .number(let value): value != 0
    case .string(let value): !value.isEmpty
    case .array(let values): !values.isEmpty
    case .object(let fields): !fields.isEmpty
    }
  }
}
