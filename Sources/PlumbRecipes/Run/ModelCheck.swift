import Foundation
import PlumbModels
import PlumbPreferences

/// Holds the models that stages read against what they are needed for, before any stage runs.
///
/// A wrong name would otherwise be found by the stage that loads the model, after the hours that came first.
struct ModelCheck {
  let stages: [any Stage]
  let names: [String]

  /// Refuses the first model that is of another kind than its stage needs.
  ///
  /// - Parameter resolver: of the stage with an index.
  /// - Throws: `RunError.wrongModel`, and what a path's `config.json` is refused for.
  func run(_ resolver: (Int) -> InputResolver) throws {
    for (index, stage) in stages.enumerated() {
      for use in stage.models where !use.reference.isEmpty {
        guard let found = try kind(of: use.reference, resolver(index)) else { continue }
        guard let kind = found.kind, use.role.accepts(kind) else {
          throw RunError.wrongModel(
            stage: names[index], model: use.reference,
            expected: use.role.expectation(found: found.kind), found: found.text)
        }
      }
    }
  }

  /// What a stage or folder holds; nil where only loading will tell.
  private func kind(
    of reference: String, _ resolver: InputResolver
  ) throws -> (kind: ModelKind?, text: String)? {
    if let name = resolver.stageName(in: reference) {
      guard name == reference, let index = names.firstIndex(of: name) else { return nil }
      switch type(of: stages[index]).product {
      case .unknown: return nil
      case .noModel: return (nil, "the stage '\(name)', which leaves no model in its folder")
      case .model(let kind): return (kind, "\(kind)")
      }
    }
    let url = try resolver.url(of: reference)
    if AdapterFolder.isAdapter(url) {
      return (.language, "a LoRA adapter of a language model ('plumb model merge' makes it whole)")
    }
    let folder = try ModelFolder(url)
    let isLanguage = folder.architecture == folder.configuration.family.causalArchitecture
    guard
      let kind = isLanguage ? .language : PreferenceModelKind(folder).map(ModelKind.preference)
    else { return nil }
    return (kind, "\(kind) (\(folder.architecture))")
  }
}
