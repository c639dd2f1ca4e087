"""What do further labels cost, when are they there, and where do they buy the most?"""
