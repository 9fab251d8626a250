"""Recognise seven emotions in faces, live: angry, disgust, fear, happy, sad, surprise, neutral."""
