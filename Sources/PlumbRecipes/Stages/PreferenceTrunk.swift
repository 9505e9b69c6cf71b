import Foundation
import PlumbModels
import PlumbPreferences
import PlumbTensors

/// The weights of a language model or of a preference model; a head goes on where its shape fits.
///
/// An adapter is merged into its base.
func preferenceTrunk(_ source: URL) throws -> (
  configuration: DecoderConfiguration, parameters: ParameterBlock
) {
  if AdapterFolder.isAdapter(source) {
    let model = try CausalLM(directory: source).merged
    return (model.configuration, model.parameters)
  }
  let folder = try ModelFolder(source)
  guard folder.architecture != folder.configuration.family.causalArchitecture else {
    return (folder.configuration, try CausalLM(folder).parameters)
  }
  return (folder.configuration, try loadPreferenceModel(directory: source).parameters)
}
