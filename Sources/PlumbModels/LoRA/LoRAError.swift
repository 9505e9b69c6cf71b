/// An adapter that cannot be made, read or put on a model, and why.
public enum LoRAError: Error, Hashable, Sendable {
  /// A rank outside 1...4096.
  case invalidRank(found: Int)
  /// An alpha that is not above 0.
  case invalidAlpha(found: Double)
  /// A target module that the family does not have.
  case unknownTarget(String, family: ModelFamily)
  /// A target, such as a path to one layer, that names no weight of the model.
  case noWeight(target: String)
  /// Something that peft can do and Plumb does not.
  case unsupported(path: String, key: String, found: String, supported: String)
  /// The folder's weights are in a format that is not read.
  case unsupportedFile(path: String, expected: String, found: String)
  /// The model that the adapter changes is not where its configuration says.
  case missingBase(path: String, base: String, looked: [String])
  /// The model that the adapter changes is an adapter itself.
  case baseIsAdapter(path: String, base: String)
  /// The tensors are not those that configuration and base model ask for.
  case tensors(path: String, base: String, rank: Int, problems: [TensorProblem])
  /// An adapter stands where a whole model is needed.
  case adapterInPlaceOfModel(path: String)
  /// An adapter whose training was to be continued has another configuration.
  case otherConfiguration(path: String, expected: String, found: String)
  /// A folder was to be treated as an adapter and is none.
  case notAnAdapter(path: String)
}

extension LoRAError: CustomStringConvertible {
  /// The sentence for a person: what, where, expected, found.
  public var description: String {
    switch self {
    case .invalidRank(let found):
      return "LoRA rank: expected an integer from 1 to 4096, found \(found)"
    case .invalidAlpha(let found):
      return "LoRA alpha: expected a number above 0, at most 1000000, found \(found)"
    case .unknownTarget(let target, let family):
      return "LoRA target module '\(target)': expected one of "
        + "\(family.linearModules.joined(separator: ", ")) (the linear layers of \(family.rawValue))"
    case .noWeight(let target):
      return "LoRA target module '\(target)': expected the name of a linear layer of the model, "
        + "found none of that name"
    case .unsupported(let path, let key, let found, let supported):
      return "\(path): \"\(key)\" of peft is not supported: expected \(supported), found \(found)"
    case .unsupportedFile(let path, let expected, let found):
      return "\(path): expected \(expected), found \(found)"
    case .missingBase(let path, let base, let looked):
      let name = base.isEmpty ? "no name" : "'\(base)'"
      return "\(path): \"base_model_name_or_path\": expected the folder of the base model, found "
        + name + (looked.isEmpty ? "" : " (looked in \(looked.joined(separator: ", ")))")
        + "; give the folder with --base"
    case .baseIsAdapter(let path, let base):
      return "\(path): the base '\(base)': expected a whole model, found an adapter; "
        + "merge that one first ('plumb model merge')"
    case .tensors(let path, let base, let rank, let problems):
      let shown = problems.prefix(8).map { "  \($0)" }
      let rest = problems.count > shown.count ? ["  and \(problems.count - shown.count) more"] : []
      return
        ([
          "\(path): the tensors do not fit adapter_config.json (r = \(rank)) and the base '\(base)':"
        ]
        + shown + rest).joined(separator: "\n")
    case .adapterInPlaceOfModel(let path):
      return "\(path): expected a whole model, found a LoRA adapter; "
        + "'plumb model merge' makes a model of it"
    case .otherConfiguration(let path, let expected, let found):
      return "\(path): expected an adapter of \(expected), found one of \(found); continue it with "
        + "its own settings, or merge it first ('plumb model merge')"
    case .notAnAdapter(let path):
      return "\(path): expected a LoRA adapter (adapter_config.json), found none"
    }
  }
}

extension LoRAConfiguration: CustomStringConvertible {
  /// Rank, alpha and targets in words.
  public var description: String {
    let targets =
      targetModules.isEmpty ? "all linear layers" : targetModules.joined(separator: ", ")
    return "rank \(rank), alpha \(alpha.formattedShort)\(isRankStabilized ? " (rsLoRA)" : "") on "
      + targets
  }
}

extension Double {
  /// Without a point where the number is whole.
  fileprivate var formattedShort: String {
    Int(exactly: self).map(String.init) ?? "\(self)"
  }
}
