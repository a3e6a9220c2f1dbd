"""An extractor of our own: every step of a fitted pipeline is a layer."""

from sklearn_transrate.extractors import FeatureExtractor, model_attribute


class PipelineExtractor(FeatureExtractor):
    """Outputs of the steps of a fitted pipeline of transformers."""

    def __init__(self, model, layers="all", batch_size="auto"):
        self.model = model
        self.layers = layers
        self.batch_size = batch_size

    @model_attribute
    def layers_(self):
        return [name for name, _ in self.model.steps]

    def _forward(self, X_batch, layers):
        outputs = {}
        for name, step in self.model.steps:
            outputs[name] = X_batch = step.transform(X_batch)
        return {layer: outputs[layer] for layer in layers}
