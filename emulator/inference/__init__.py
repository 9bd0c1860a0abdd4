"""The data path of InvokeEndpoint: routes to containers, bytes through; knows no document."""
